"""What the declarations of all retrievers share."""

from collections.abc import Iterator
from math import log10
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.study.bases import PUBLISHED, Node
from dewpoint.study.kind import For, Names, Strict
from dewpoint.study.types import Amount, Count, Name, Row


class Projection(Strict):
    """A linear map of the pooled vector."""

    size: Count = Field(description="dimensions of the vectors")
    norm: bool = Field(False, description="with a LayerNorm after it")


class Development(Strict):
    """What a retriever is measured on while it is trained: MRR@10 on a small corpus."""

    split: Name = Field("dev", description="its queries; those of the training split are then not trained on")
    queries: Count = Field(1000, description="at most so many, drawn at random")
    depth: Amount = Field(50, description="ranks of each negatives' ranker that are in the small corpus")
    passages: Amount = Field(10_000, description="passages at random beside them")
    measurements: Count = Field(10, description="how often it is measured, evenly spread over the steps")
    keep: Literal["best", "last"] = Field("best", description="which weights become the model")
    patience: Count | None = Field(None, description="measurements without a rise, after which training ends")


class Vectors(Node):
    """How a retriever's texts become vectors."""

    reads: ClassVar[tuple[str, ...]] = ("work", "texts")
    ranker: ClassVar[str | None] = "dense"

    query_from: Annotated[str | None, Names("models", released=True)] = Field(
        None, description="where queries' own encoder starts from, as in `from`; left out: one encoder for both"
    )
    published: Annotated[Row | None, For()] = PUBLISHED
    pooling: Literal["cls", "mean"] | None = Field(None, description="left out: as `from` does, the CLS otherwise")
    normalize: bool | None = Field(None, description="vectors of length one; left out: as `from` does, no otherwise")

    def work_settings(self, config) -> dict[str, Any]:
        return {"query_source": None} | super().work_settings(config)

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        for key, source in self.sources.items():
            if source == "scratch":
                yield key, "a retriever starts from another model, not from scratch"
        yield from study.too_long(self, {"passage_length": self.passage_length})
        yield from study.too_long(self, {"query_length": self.query_length}, self.query_from)

    @property
    def encoders(self) -> int:
        return 2 if self.query_from else 1


def few(queries: int | str) -> int | str:
    """So many queries for a rehearsal that more stay more, and all stay all."""
    return queries if queries == "all" else min(queries, 2 + round(2 * log10(queries)))
