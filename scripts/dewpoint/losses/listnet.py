"""`listnet`: cross-entropy of a query's passages' shares with those that the teacher gives them (ListNet, top one).

L = -1/|Q| Σ_i Σ_j T_ij log S_ij        T_i = softmax(t_i / τ), S_i = softmax(s_i / τ)

j over all passages of the batch that have a teacher's score and are not masked for the query.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from dewpoint.losses._taught import TaughtShares, listed, log_shares, taught_shares

if TYPE_CHECKING:
    from torch import Tensor


class ListNet(TaughtShares):
    """Cross-entropy of the passages' shares with the teacher's."""

    cites: ClassVar[tuple[str, ...]] = ("cao2007listnet",)

    name: Literal["listnet"]


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    part = listed(known)
    shares = taught_shares(known, part, settings.temperature)
    return -(shares * log_shares(scores, part, settings.temperature)).sum() / len(scores)
