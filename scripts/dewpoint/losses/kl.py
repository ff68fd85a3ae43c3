"""`kl`: how far the shares of a query's passages are from those that the teacher gives them.

L = 1/|Q| Σ_i KL(T_i || S_i) = 1/|Q| Σ_i Σ_j T_ij (log T_ij - log S_ij)

T_i = softmax(t_i / τ), S_i = softmax(s_i / τ)

j over all passages of the batch that have a teacher's score and are not masked for the query. The gradient is
`listnet`'s. (The TAS-Balanced paper names it KLDiv and leaves direction and temperature open; this is the direction in
which the teacher is the target.)
"""

from typing import TYPE_CHECKING, Literal

from dewpoint.losses._taught import TaughtShares, listed, log_shares, taught_shares

if TYPE_CHECKING:
    from torch import Tensor


class Kl(TaughtShares):
    """The divergence of the passages' shares from the teacher's, by Kullback and Leibler."""

    name: Literal["kl"]


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    part = listed(known)
    shares = taught_shares(known, part, settings.temperature)
    return (shares.xlogy(shares) - shares * log_shares(scores, part, settings.temperature)).sum() / len(scores)
