"""`dual`: a pairwise and an in-batch loss together, L = L_pair + α · L_inb.

L_pair is `margin-mse`; L_inb any other loss of the whole batch (Hofstätter et al. 2021, whose α is .75). With an
in-batch teacher L_inb follows that one, and L_pair the scores of `teacher` where there are some. `teacher_scale` is
L_pair's γ; L_inb may have one of its own.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from dewpoint.losses import margin_mse
from dewpoint.losses._taught import TaughtMargins
from dewpoint.losses.in_batch_margin_mse import InBatchMarginMse
from dewpoint.study.bases import Loss
from dewpoint.study.kind import OF_FOLDER, work_of

if TYPE_CHECKING:
    from torch import Tensor


class Dual(TaughtMargins):
    """margin-mse, plus a loss over all passages of the batch."""

    pairwise: ClassVar[bool] = True
    cites: ClassVar[tuple[str, ...]] = ("hofstatter2021tas",)

    name: Literal["dual"]
    alpha: float = Field(0.75, gt=0, description="weight of the in-batch loss")
    in_batch: OF_FOLDER = Field(
        InBatchMarginMse(name="in-batch-margin-mse"), description="the in-batch loss, any but this and margin-mse"
    )

    @field_validator("in_batch")
    @classmethod
    def of_the_batch(cls, loss: Loss) -> Loss:
        if loss.name in ("dual", "margin-mse"):
            raise ValueError(f"'{loss.name}' is no in-batch loss; in-batch-margin-mse or kl would be")
        return loss


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    in_batch = work_of("losses", settings.in_batch.name)(scores, known, settings.in_batch)
    pairwise = known | {"teacher": known.get("pairwise", known["teacher"])}
    return margin_mse.work(scores, pairwise, settings) + settings.alpha * in_batch
