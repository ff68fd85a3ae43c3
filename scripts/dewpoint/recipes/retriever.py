"""`retriever`: a query's positive against its negatives and every other passage of the batch.

L = 1/n Σ_i loss(q_i·p_1 … q_i·p_m)        p over all passages of the step; which may be negative is known to the loss
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from dewpoint.artifact import Artifact
from dewpoint.recipes._encoding import Encoded, Encoding
from dewpoint.recipes._retrieval import Development, Pooled, loss_and_batches
from dewpoint.study.bases import Asked, Inputs
from dewpoint.study.types import Count
from dewpoint.training.given import Pace


class Retriever(Pooled, Encoding):
    """A query's positive against its negatives and the other passages of the batch."""

    recipe: Literal["retriever"]
    train_query_length: Count | None = Field(
        None, ge=3, description="tokens of a query in training, when fewer than `query_length` will do"
    )
    development: Development | None = Field(None, description="left out: nothing is measured on the way")

    @model_validator(mode="after")
    def shorter_in_training(self):
        if (self.train_query_length or 0) > self.query_length:
            raise ValueError(f"train_query_length {self.train_query_length} is above query_length {self.query_length}")
        return self

    def work_settings(self, config) -> dict[str, Any]:
        return super().work_settings(config) | {"train_query_length": self.train_query_length or self.query_length}

    def inputs(self, graph, name: str) -> Inputs:
        watched = [graph.run(*of) for key, *of in self.asks() if key == "development"]
        return super().inputs(graph, name) | {"development": watched}

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
        watched = self.development and self.development.small()
        return super().small() | {"train_query_length": None, "development": watched}


@dataclass(frozen=True)
class Given(Encoded):
    development: list[Path]


def work(artifact: Artifact, settings, given: Given, pace: Pace) -> None:
    from dewpoint.training.ranking import train

    train(artifact, settings, given, pace, *loss_and_batches(settings, given))
