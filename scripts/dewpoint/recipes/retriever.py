"""`retriever`: a query's positive against its negatives and every other passage of the batch.

L = 1/n Σ_i loss(q_i·p_1 … q_i·p_m)        p over all passages of the step; which may be negative is known to the loss
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from dewpoint.artifact import Artifact
from dewpoint.recipes._encoding import Encoded, Encoding
from dewpoint.recipes._nested import Nested
from dewpoint.recipes._retrieval import Pooled, loss_and_batches
from dewpoint.study.types import Count
from dewpoint.training.given import Pace


class Retriever(Pooled, Nested, Encoding):
    """A query's positive against its negatives and the other passages of the batch."""

    cites: ClassVar[tuple[str, ...]] = ("karpukhin2020dpr",)

    recipe: Literal["retriever"]
    train_query_length: Count | None = Field(
        None, ge=3, description="tokens of a query in training, when fewer than `query_length` will do"
    )

    @model_validator(mode="after")
    def shorter_in_training(self):
        if (self.train_query_length or 0) > self.query_length:
            raise ValueError(f"train_query_length {self.train_query_length} is above query_length {self.query_length}")
        return self

    def work_settings(self, config) -> dict[str, Any]:
        return super().work_settings(config) | {"train_query_length": self.train_query_length or self.query_length}

    def small(self) -> dict[str, Any]:
        return super().small() | {"train_query_length": None}


def work(artifact: Artifact, settings, given: Encoded, pace: Pace) -> None:
    from dewpoint.training.ranking import train

    train(artifact, settings, given, pace, *loss_and_batches(settings, given))
