"""What the page says of a node of the model graph when it is opened: settings of its own, parents, what it cost."""

from dataclasses import dataclass
from typing import Any

from dewpoint.report.graph import Node, Picture
from dewpoint.report.lineage import Made, Stage
from dewpoint.report.words import plain

TAGS = ("recipe", "kind", "published")  # what stands elsewhere


@dataclass(frozen=True)
class Detail:
    """`id` is where links lead to."""

    id: str
    node: Node
    parents: list[tuple[str, str, str]]  # (id of its node, name, how it is used)
    settings: dict[str, str]  # what the study says of it, defaults left out
    cost: Stage | None  # of all that was made for it alone
    row: str | None  # id of its row in a table
    curves: str | None  # id of its curves


def ids(picture: Picture) -> dict[str, str]:
    """Key → where its details are; keys may have any letters."""
    return {key: f"node-{number}" for number, (key, _, _) in enumerate(picture.nodes)}


def details(study, picture: Picture, made: list[Made], trained: list[str]) -> list[Detail]:
    """`trained` are the models that have curves."""
    at, there = ids(picture), {one.name for one in made}
    nodes = {key: node for key, node, _ in picture.nodes}
    found = []
    for key, node in nodes.items():
        parents = [
            (at[edge.source], nodes[edge.source].name, "gives negatives" if edge.dashed else "made from")
            for edge in picture.edges
            if edge.target == key
        ]
        section, _, name = key.partition(".")
        entry = None if node.kind == "source" else getattr(study, section)[name]
        settings = said(entry) if entry else {}
        own = [one for one in made if entry and belongs(one, name, node.kind)]
        cost = Stage(name, own) if own else None
        row = f"{section[:-1]}-{name}" if entry and (section == "rankers" or f"models/{name}" in there) else None
        curves = f"training-{name}" if section == "models" and name in trained else None
        found.append(Detail(at[key], node, parents, settings, cost, row, curves))
    return found


def belongs(one: Made, name: str, kind: str) -> bool:
    """Whether it was made for a node alone; a model may have the name of a ranker that is none of it."""
    folder, of = one.name.split("/")[:2]
    return of == name and (kind == "retriever" or (folder in ("models", "embeddings")) == (kind == "model"))


def said(entry) -> dict[str, str]:
    """What differs from the defaults, less what its parents are."""
    values: dict[str, Any] = entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    named = {key.split(".")[0] for key, section, _ in entry.names() if section in ("models", "rankers")}
    return {key: plain(value) for key, value in values.items() if key not in (*TAGS, *named, "from")}
