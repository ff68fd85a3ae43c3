"""`regression`: pairs of texts whose vectors should be as alike as their score says (Reimers and Gurevych, 2019).

L = 1/n Σ_i (cos(u_i, v_i) - y_i)²        y_i the score of a pair, from 0 to 1
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.evaluation.registry import SCORES
from dewpoint.recipes._examples import OnExamples
from dewpoint.study.types import Count
from dewpoint.training.given import Pace, Text

if TYPE_CHECKING:
    from torch import Tensor

SIMILARITY = "cosine"


class Regression(OnExamples):
    """Pairs of texts with a score; the cosine of their vectors should be the score, brought to 0 … 1."""

    examples: ClassVar[str] = SCORES
    similarity: ClassVar[str] = SIMILARITY
    cites: ClassVar[tuple[str, ...]] = ("reimers2019sbert",)

    recipe: Literal["regression"]
    epochs: Count = Field(4, description="times that all pairs are trained on")


def work(artifact: Artifact, settings, given: Text, pace: Pace) -> None:
    from dewpoint.training.examples import Aim, train

    train(artifact, settings, given, pace, Aim("squared_error", squared_error, SIMILARITY))


def squared_error(vectors: "Tensor", known: dict[str, "Tensor"]) -> "Tensor":
    """Of pairs' vectors [pairs, 2, dimension]."""
    from dewpoint.models.similarity import cosine

    return (cosine(vectors[:, 0], vectors[:, 1]) - known["score"]).square().mean()
