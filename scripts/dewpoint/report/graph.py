"""The model graph as a picture: what stands in it; layers.py says where, graph.svg.j2 how it looks."""

from dataclasses import dataclass

from dewpoint.report.layers import Box, Drawing, Edge, draw

NAME_WIDTH, LABEL_WIDTH, PADDING = 7.6, 6.2, 24


@dataclass(frozen=True)
class Node:
    name: str
    label: str
    kind: str  # source, model, retriever or ranker

    @property
    def width(self) -> float:
        return max(len(self.name) * NAME_WIDTH, len(self.label) * LABEL_WIDTH) + PADDING


@dataclass(frozen=True)
class Picture:
    drawing: Drawing
    nodes: list[tuple[str, Node, Box]]  # the key of each
    edges: list[Edge]


def picture(study) -> Picture:
    nodes, edges = model_graph(study)
    drawing = draw({key: node.width for key, node in nodes.items()}, edges)
    return Picture(drawing, [(key, node, drawing.boxes[key]) for key, node in nodes.items()], edges)


def model_graph(study) -> tuple[dict[str, Node], list[Edge]]:
    """Models, rankers and what is fetched; a model and the ranker of its name are one node."""
    needed = {key: sources for key, sources in study.needs().items() if not key.startswith("analyses.")}
    own = {f"rankers.{name}": f"models.{name}" for name in study.models}
    own = {ranker: model for ranker, model in own.items() if needed.get(ranker) == [model]}

    nodes: dict[str, Node] = {}
    edges: dict[Edge, None] = {}
    for name, model in study.models.items():
        key = f"models.{name}"
        scratch = ", from scratch" if model.from_ == "scratch" else ""
        kind = "retriever" if f"rankers.{name}" in own else "model"
        nodes[key] = Node(name, model.tag() + scratch, kind)
        for source in model.sources.values():
            origin, fetched, place = source.partition(":")
            if fetched:
                nodes[source] = Node(place, origin, "source")
                edges[Edge(source, key)] = None
    for name, ranker in study.rankers.items():
        if f"rankers.{name}" not in own:
            nodes[f"rankers.{name}"] = Node(name, ranker.tag(), "ranker")
    for key, sources in needed.items():
        for source in sources if key not in own else []:
            negatives = key.startswith("models.") and source.startswith("rankers.")
            edges[Edge(own.get(source, source), key, dashed=negatives)] = None
    return nodes, list(edges)
