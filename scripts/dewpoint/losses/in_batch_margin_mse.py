"""`in-batch-margin-mse`: by how much each positive is before all passages of the batch, as the teacher has it.

L_ij = ((s_i+ - s_ij) - γ (t_i+ - t_ij))²        j over all passages, positives and negatives of all queries

    mean:  L = 1/P Σ_i Σ_j L_ij,  P how many terms there are, those of each positive with itself, which are 0, included
    sum:   L = 1/(2|Q|) Σ_i Σ_j L_ij,  |Q| queries

The paper (Hofstätter et al. 2021) prints the sum, which grows with the batch; with its alpha of .75 beside the pairwise
loss, "of like range", it must have meant the mean, which is the default. Passages that are masked for a query, or for
which the teacher has no score, have no part. γ is 1 there; see `margin-mse`.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dewpoint.losses._taught import TaughtMargins, listed, squared_margins

if TYPE_CHECKING:
    from torch import Tensor


class InBatchMarginMse(TaughtMargins):
    """The teacher's margins between a query's positive and all passages of the batch, by their squared error."""

    cites: ClassVar[tuple[str, ...]] = ("hofstatter2021tas",)

    name: Literal["in-batch-margin-mse"]
    scale: Literal["mean", "sum"] = Field(
        "mean", description="mean over all terms, or their sum by twice the number of queries, as the paper prints it"
    )


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    part = listed(known)
    terms = part.sum().clamp(min=1) if settings.scale == "mean" else 2 * len(scores)
    return squared_margins(scores, known, part, settings.teacher_scale).sum() / terms
