"""`retriever`: a query's positive against its negatives and every other passage of the batch.

L = 1/n Σ_i loss(q_i·p_1 … q_i·p_m)        p over all passages of the step; which may be negative is known to the loss
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from dewpoint.artifact import Artifact
from dewpoint.recipes._retrieval import Development, Projection, Ranking, Vectors, loss_and_batches
from dewpoint.study.bases import QUERIES, Asked, Inputs
from dewpoint.study.sizes import QUERY_TOKENS
from dewpoint.study.types import Count
from dewpoint.training.given import Instances, Pace, Side


class Retriever(Vectors, Ranking):
    """A query's positive against its negatives and the other passages of the batch."""

    recipe: Literal["retriever"]
    projection: Projection | None = Field(None, description="left out: as `from` has it, none otherwise")
    in_batch: bool = Field(True, description="the other queries' passages are negatives, too")
    train_query_length: Count | None = Field(
        None, ge=3, description="tokens of a query in training, when fewer than `query_length` will do"
    )
    development: Development | None = Field(None, description="left out: nothing is measured on the way")

    @model_validator(mode="after")
    def something_to_contrast(self):
        if not self.in_batch and not self.beside:
            raise ValueError("in_batch: false leaves a query nothing to tell its positive from; name negatives")
        if self.batch_size == 1 and not self.beside:
            raise ValueError("batch_size: 1 leaves a query nothing to tell its positive from; name negatives")
        return self

    @model_validator(mode="after")
    def shorter_in_training(self):
        if (self.train_query_length or 0) > self.query_length:
            raise ValueError(f"train_query_length {self.train_query_length} is above query_length {self.query_length}")
        return self

    def work_settings(self, config) -> dict[str, Any]:
        return super().work_settings(config) | {"train_query_length": self.train_query_length or self.query_length}

    def inputs(self, graph, name: str) -> Inputs:
        made = super().inputs(graph, name)
        passages = {what: made.pop(what) for what in ("tokens", "tokenizer", "parent")}
        parent = graph.parent(name, QUERIES)
        queries = {
            "tokens": [graph.tokens(name, self.data, QUERIES)],
            "tokenizer": [graph.tokenizer(name, QUERIES)],
            "parent": [graph.model(parent)] if parent else [],
        }
        return {
            **made,
            **{f"passages_{what}": made for what, made in passages.items()},
            **{f"queries_{what}": made for what, made in queries.items()},
            "development": [graph.run(*of) for key, *of in self.asks() if key == "development"],
        }

    def asks(self) -> Iterator[Asked]:
        yield from super().asks()
        for ranker in self._developed_on:
            yield "development", ranker, self.data, self.development.split

    @property
    def _developed_on(self) -> list[str]:
        """The rankers whose runs it is measured on while it is trained."""
        if not self.development:
            return []
        return [self.development.rerank] if self.development.rerank else self.negatives

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.development:
            if wrong := study.lacks_split(self.data, self.development.split):
                yield "development.split", wrong
            yield from self.too_deep(study, "development.depth", self.development.depth, self._developed_on)

    def small(self) -> dict[str, Any]:
        return super().small() | {
            "train_query_length": None,
            "projection": self.projection
            and self.projection.model_copy(update={"size": min(self.projection.size, 16)}),
            "development": self.development and self.development.small(),
        }

    def operations(self, sizes, name: str) -> float:
        passage = sizes.passage_tokens(self.data, self.passage_length)
        one = sizes.forward(name, QUERY_TOKENS) + (1 + self.beside) * sizes.forward(name, passage)
        return 3 * one * self.instances(sizes)


@dataclass(frozen=True)
class Given(Instances):
    passages: Side
    queries: Side
    development: list[Path]


def work(artifact: Artifact, settings, given: Given, pace: Pace) -> None:
    from dewpoint.training.ranking import train

    train(artifact, settings, given, pace, *loss_and_batches(settings, given))
