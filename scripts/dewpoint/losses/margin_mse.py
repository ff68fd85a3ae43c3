"""`margin-mse`: by how much a positive is before each of its query's own negatives, as the teacher has it.

L = 1/P Σ_i Σ_j ((s_i+ - s_ij) - γ (t_i+ - t_ij))²

j over the negatives that query i brought, less those that are masked or have no teacher's score; P is how many such
pairs the batch has. (Hofstätter et al. 2020; with one negative a query it is their mean over the batch. Theirs has no
γ, which is 1.) Where a teacher's margins are of another order than a student's first ones, such as those of vectors
without a length of one, the error begins so high that γ, `teacher_scale`, must bring them near.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from dewpoint.losses._taught import TaughtMargins, listed, squared_margins

if TYPE_CHECKING:
    from torch import Tensor


class MarginMse(TaughtMargins):
    """The teacher's margins between a query's positive and its own negatives, by their squared error."""

    cites: ClassVar[tuple[str, ...]] = ("hofstatter2020marginmse",)

    name: Literal["margin-mse"]


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    part = (listed(known) & known["own"]).scatter(1, known["targets"][:, None], False)
    return squared_margins(scores, known, part, settings.teacher_scale).sum() / part.sum().clamp(min=1)
