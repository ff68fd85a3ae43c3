"""`listnet`: cross-entropy of a query's passages' shares with those that the teacher gives them (ListNet, top one).

L = -1/|Q| Σ_i Σ_j T_ij log S_ij        T_i = softmax(t_i / τ), S_i = softmax(s_i / τ)

j over all passages of the batch that have a teacher's score and are not masked for the query.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dewpoint.losses._taught import listed, log_shares, taught_shares
from dewpoint.study.bases import Loss

if TYPE_CHECKING:
    from torch import Tensor


class ListNet(Loss):
    """Cross-entropy of the passages' shares with the teacher's."""

    needs_teacher: ClassVar[bool] = True

    name: Literal["listnet"]
    temperature: float = Field(1.0, gt=0, description="τ, by which both scores are divided")


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    part = listed(known)
    shares = taught_shares(known, part, settings.temperature)
    return -(shares * log_shares(scores, part, settings.temperature)).sum() / len(scores)
