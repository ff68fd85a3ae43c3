"""`triplet`: triplets of texts, of which the first should be nearer to the second than to the third by a margin.

L = 1/n Σ_i max(0, |a_i - p_i| - |a_i - n_i| + margin)
"""

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.evaluation.registry import TRIPLETS
from dewpoint.recipes._examples import OnExamples
from dewpoint.study.types import Count
from dewpoint.training.given import Pace, Text

if TYPE_CHECKING:
    from torch import Tensor

SIMILARITY = "euclidean"


class Triplet(OnExamples):
    """Triplets of texts; the vector of the first should be nearer to the second's than to the third's by a margin."""

    examples: ClassVar[str] = TRIPLETS
    similarity: ClassVar[str] = SIMILARITY
    cites: ClassVar[tuple[str, ...]] = ("reimers2019sbert",)

    recipe: Literal["triplet"]
    margin: float = Field(5, gt=0, description="between the two distances, which are Euclidean")
    epochs: Count = Field(1, description="times that all triplets are trained on")


def work(artifact: Artifact, settings, given: Text, pace: Pace) -> None:
    from dewpoint.training.examples import Aim, train

    train(artifact, settings, given, pace, Aim("hinge", partial(hinge, margin=settings.margin), SIMILARITY))


def hinge(vectors: "Tensor", known: dict[str, "Tensor"], margin: float) -> "Tensor":
    """Of triplets' vectors [triplets, 3, dimension]."""
    from dewpoint.models.similarity import euclidean

    anchor, positive, negative = vectors.unbind(1)
    return (margin + euclidean(anchor, negative) - euclidean(anchor, positive)).clamp(min=0).mean()
