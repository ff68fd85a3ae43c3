"""What rankers share that put another ranker's first passages into another order."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from dewpoint.study.bases import Ranker
from dewpoint.study.kind import For, Names
from dewpoint.study.types import Count, Label


class Reranking(Ranker):
    """Another ranker's run, the first passages of each query in another order; the rest follow as they were."""

    of: Annotated[Label, Names("rankers")] = Field(description="the ranker whose first passages are scored")
    top: Annotated[Count | None, For("rank", "latency")] = Field(
        None, description="passages of a query that are scored; the rest follow in their order; left out: all kept"
    )

    @property
    def scored(self) -> int:
        return self.depth if self.top is None else self.top

    def asks(self, dataset: str, split: str) -> Iterator[tuple[str, str, str]]:
        yield self.of, dataset, split

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        depth = study.rankers[self.of].depth
        for key, wanted in (("depth", self.depth), ("top", self.scored)):
            if wanted > depth:
                yield key, f"{wanted}, but ranker '{self.of}' keeps {depth}"
