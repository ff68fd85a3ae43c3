"""What a ranker does whose vectors take less room: codes of them, their first dimensions, candidates scored again."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, model_validator

from dewpoint.rankers._indexes import Flat, SmallIndex, code_bytes
from dewpoint.rankers._vectors import SearchesVectors
from dewpoint.study.bases import Inputs, few_dimensions
from dewpoint.study.kind import For
from dewpoint.study.sizes import Cost, Sizes, of_core
from dewpoint.study.types import Count

CODED = 200_000  # vectors of 768 that a core makes codes of in a second; reckoned
WHOLE = 2  # bytes of a number of the whole vectors, as config.yaml stores them unless it says otherwise


class SearchesSmallVectors(SearchesVectors):
    """Its module also has `pack`, which builds such an index, `scan` and `refine`, search by all codes or by FAISS."""

    index: Annotated[SmallIndex, For("index")] = Field(
        Flat(name="flat"),
        description="flat is exact; others may miss passages: float16, int8 and bits are smaller, the rest are faster",
    )
    size: Annotated[Count | None, For("index")] = Field(
        None, description="dimensions that are searched, the first of each vector; left out: all"
    )
    rescore: Annotated[Count | None, For("rank")] = Field(
        None, description="candidates of a query that are scored again by the whole vectors; left out: none"
    )

    @property
    def approximate(self) -> bool:
        return super().approximate or self.size is not None

    @property
    def coded(self) -> bool:
        """Whether all passages are looked at, each by its code."""
        return code_bytes(self.index) is not None

    @property
    def _as_before(self) -> bool:
        """Whether it has nothing of what is here."""
        return self.size is None and self.rescore is None and (not self.coded or self.index.name == "flat")

    @model_validator(mode="after")
    def enough_candidates(self):
        if self.rescore is not None and not self.approximate:
            raise ValueError("rescore: flat search of whole vectors is exact already; name an index or a size")
        if self.rescore is not None and self.rescore < self.depth:
            raise ValueError(f"rescore: {self.rescore} candidates, but {self.depth} are kept; take as many at least")
        return self

    def function(self, stage: str) -> str | None:
        if self._as_before or stage not in ("index", "rank"):
            return super().function(stage)
        return "pack" if stage == "index" else "scan" if self.coded else "refine"

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        sizes = getattr(study.models[self.model], "sizes", None)
        if self.size is not None and sizes and self.size not in sizes:
            yield (
                "size",
                f"{self.size}, but '{self.model}' is trained for {', '.join(map(str, sizes))}; name one of these",
            )

    def index_settings(self, config) -> dict[str, Any]:
        """Whether candidates are scored again, but not how many."""
        settings = super().index_settings(config)
        if self._as_before:
            return settings
        settings = {"index": settings["index"]} if self.coded else settings
        settings |= {"size": self.size} if self.size is not None else {}
        return settings | ({"rescored": True} if self.rescore is not None else {})

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        settings = super().rank_settings(graph, split)
        if self._as_before:
            return settings
        if self.coded:
            settings.pop("parameters")
        return settings | self._again

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        return super().latency_settings(graph, split) | self._again

    @property
    def _again(self) -> dict[str, int]:
        return {"rescore": self.rescore} if self.rescore is not None else {}

    def index_inputs(self, graph, name: str, dataset: str) -> Inputs:
        """The model says whether its vectors have length one."""
        made = super().index_inputs(graph, name, dataset)
        return made | ({"model": [graph.model(self.model)]} if self.size is not None else {})

    def built(self, facts: dict[str, Any], dataset: str) -> str | None:
        if "vectors_bytes" not in facts:
            return None
        index, whole = (facts[key] / 2**20 for key in ("bytes", "vectors_bytes"))
        return (
            f"on {dataset} {facts['factory']}, {index:,.1f} MB, finds {self.rescore:,} candidates, "
            f"scored again by whole vectors, {whole:,.1f} MB"
        )

    def index_cost(self, sizes: Sizes, dataset: str) -> Cost:
        whole, share = sizes.shape(self.model)[1], self._share(sizes)
        vectors = self.vectors(sizes, dataset)
        kept = Cost(bytes=vectors * whole * WHOLE if self.rescore is not None else 0)
        if not self.coded:
            cost = super().index_cost(sizes, dataset)
            return kept + Cost(core_hours=cost.core_hours * share, bytes=cost.bytes * share)
        width = whole * share
        return kept + of_core(vectors * width / 768, CODED, vectors * width * code_bytes(self.index))

    def _share(self, sizes: Sizes) -> float:
        """Of the dimensions, that are searched."""
        return min(1, self.size / sizes.shape(self.model)[1]) if self.size is not None else 1

    def small(self) -> dict[str, Any]:
        return super().small() | {"size": self.size and few_dimensions(self.size)}
