"""What rankers share that search a model's vectors, exactly or by an index of FAISS."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from dewpoint.rankers._indexes import Flat, Index, parameters, smaller
from dewpoint.study.bases import TEXTS, Inputs, Ranker
from dewpoint.study.kind import For, Names
from dewpoint.study.sizes import Cost, Sizes, of_core
from dewpoint.study.types import Label

QUESTIONS = ("query_length", "query_prefix", "query_cut")  # how the model reads them, of what it says of texts
ADDED = 50_000  # vectors of 768 that a core gives an index of lists or codes in a second; reckoned
GRAPH_ADDED = 500  # that it gives a graph of neighbours; reckoned


class SearchesVectors(Ranker):
    """Its module has `rank`, exact search, and `index` and `probe`, search by an index."""

    model: Annotated[Label, Names("models")] = Field(description="whose vectors are searched")
    index: Annotated[Index, For("index")] = Field(
        Flat(name="flat"), description="flat is exact; others are faster and may miss passages"
    )

    @property
    def approximate(self) -> bool:
        return self.index.name != "flat"

    def function(self, stage: str) -> str | None:
        if stage == "index":
            return "index" if self.approximate else None
        return "probe" if stage == "rank" and self.approximate else super().function(stage)

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        model = study.models[self.model]
        lengths = {"passage_length": model.passage_length, "query_length": model.query_length}
        yield from (("model", f"{key} of '{self.model}': {wrong}") for key, wrong in study.too_long(model, lengths))

    def implied(self) -> dict[str, Ranker]:
        """Exact search of the model, which an index is compared with."""
        return {self.model: type(self)(kind=self.tag(), model=self.model)} if self.approximate else {}

    def exact(self, study) -> str | None:
        """The deepest of those that search the model's vectors exactly, if there is one."""
        if not self.approximate:
            return None
        depths = {
            name: ranker.depth
            for name, ranker in study.rankers.items()
            if isinstance(ranker, SearchesVectors) and ranker.model == self.model and not ranker.approximate
        }
        return max(depths, key=depths.get, default=None)

    def index_settings(self, config) -> dict[str, Any]:
        """What an index is built with; parameters of its search do not build it anew."""
        return {"index": self.index.settings("work"), "seed": config.seed, "threads": config.threads}

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return {"depth": self.depth} | ({"parameters": parameters(self.index)} if self.approximate else {})

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        texts = graph.study.models[self.model].settings(*TEXTS.stages)
        how = {key: texts[key] for key in QUESTIONS if key in texts}
        how |= {"precision": graph.config.precision, "parameters": parameters(self.index)}
        return super().latency_settings(graph, split) | how

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        queries = graph.embeddings(self.model, dataset, f"queries.{split}")
        return {"queries": queries} | self.searched(graph, name, dataset)

    def live_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return {"model": [graph.model(self.model)]} | self.searched(graph, name, dataset)

    def searched(self, graph, name: str, dataset: str) -> Inputs:
        """What is searched: the index, or the vectors themselves."""
        if self.approximate:
            return {"index": [graph.index(name, dataset)]}
        return {"corpus": graph.embeddings(self.model, dataset, "corpus")}

    def index_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return {"corpus": graph.embeddings(self.model, dataset, "corpus")}

    def vectors(self, sizes: Sizes, dataset: str) -> float:
        """How many are searched."""
        return sizes.passages(dataset)

    def index_cost(self, sizes: Sizes, dataset: str) -> Cost:
        vectors, (_, width) = self.vectors(sizes, dataset), sizes.shape(self.model)
        graph = self.index.name == "hnsw" or "HNSW" in getattr(self.index, "factory", "")
        return of_core(vectors * width / 768, GRAPH_ADDED if graph else ADDED, vectors * width * 4)

    def small(self) -> dict[str, Any]:
        return {"index": smaller(self.index)}
