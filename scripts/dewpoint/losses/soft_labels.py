"""`soft-labels`: the teacher's shares of a query's own passages as the target over all passages of the batch.

L = -1/|Q| Σ_i Σ_j T_ij log S_ij        T_i = softmax(t_i / τ) over the query's own passages, 0 for all others
                                        S_i = softmax(s_i / τ) over all passages that are not masked for the query

coCondenser's equations 15 and 16. Printed is KL(S || T), which is infinite wherever T is 0; this is KL(T || S) without
the entropy of T, which has no gradient. Temperature is not spoken of there, and is 1. An own passage without a
teacher's score is none of T; a query whose positive has none has no part.
"""

from typing import TYPE_CHECKING, Literal

from dewpoint.losses._taught import TaughtShares, listed, log_shares, taught_shares

if TYPE_CHECKING:
    from torch import Tensor


class SoftLabels(TaughtShares):
    """The teacher's shares of a query's own passages in the place of one right answer; others' passages have none."""

    name: Literal["soft-labels"]


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    shares = taught_shares(known, listed(known) & known["own"], settings.temperature)
    return -(shares * log_shares(scores, ~known["masked"], settings.temperature)).sum() / len(scores)
