"""`weighted`: another loss times a weight, w · L, for where a loss is one of several.

coCondenser's paper adds the contrast and the loss of words as they are; its released code, whose gradient cache counts
the words twice, does what w = 1/2 with half of `clip` does here: Adam does not see a factor of all.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from dewpoint.study.bases import Loss
from dewpoint.study.kind import OF_FOLDER, work_of

if TYPE_CHECKING:
    from torch import Tensor


class Weighted(Loss):
    """Another loss times a weight, such as coCondenser's contrast beside the loss of words."""

    name: Literal["weighted"]
    of: OF_FOLDER = Field(description="the loss")
    weight: float = Field(gt=0, description="w")

    @field_validator("of")
    @classmethod
    def of_another(cls, loss: Loss) -> Loss:
        if loss.name == "weighted":
            raise ValueError("of another weighted loss; multiply the weights")
        return loss

    @property
    def pairwise(self) -> bool:
        return self.of.pairwise


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    return settings.weight * work_of("losses", settings.of.name)(scores, known, settings.of)
