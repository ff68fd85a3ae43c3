"""`lambda`: pairs of passages in the teacher's order, each weighted by what nDCG loses between their ranks.

L = 1/|Q| Σ_i Σ_{j,k: G_j > G_k} δ_jk |G_j - G_k| log(1 + exp(-(s_ij - s_ik) / τ))

    δ_jk = |1/D(|r_j - r_k|) - 1/D(|r_j - r_k| + 1)|,   D(r) = log2(1 + r),   r_j the rank of j by s_i
    G_j = (2^y_j - 1) / maxDCG,   maxDCG = Σ_r (2^y_(r) - 1) / D(r), passages by falling y

nDCG-Loss2 of the LambdaLoss framework (Wang et al. 2018), where y is a grade. Here y_j is between 0 and 1: the
teacher's score, scaled to its least and greatest in the query's list (`value`), or the share of the list that the
teacher has behind j (`rank`). j and k are passages of the batch that have a teacher's score and are not masked for the
query; ranks and weights have no gradient.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dewpoint.losses._taught import Taught, listed

if TYPE_CHECKING:
    from torch import Tensor


class Lambda(Taught):
    """Pairs in the teacher's order, weighted as nDCG-Loss2 of LambdaLoss does."""

    cites: ClassVar[tuple[str, ...]] = ("wang2018lambdaloss",)

    name: Literal["lambda"]
    temperature: float = Field(1.0, gt=0, description="τ, by which a pair's margin is divided")
    gains: Literal["value", "rank"] = Field("value", description="what of the teacher's a gain is made from")


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    from torch.nn.functional import softplus

    part, total = listed(known), scores.sum() * 0
    for row, mine in enumerate(part):  # one list at a time: the pairs of all would be many
        if mine.sum() > 1:
            score, taught = scores[row, mine], known["teacher"][row, mine]
            weights = _weights(score.detach(), taught, settings.gains)
            total = total + (weights * softplus((score[None, :] - score[:, None]) / settings.temperature)).sum()
    return total / len(scores)


def _weights(score: "Tensor", taught: "Tensor", gains: str) -> "Tensor":
    """[passages, passages], 0 where the first is not the better one."""
    import torch

    count, places = len(score), torch.arange(1, len(score) + 1, device=score.device, dtype=taught.dtype)
    if gains == "rank":
        label = (taught[None, :] < taught[:, None]).sum(1).to(taught.dtype) / (count - 1)
    else:
        label = (taught - taught.min()) / (taught.max() - taught.min()).clamp(min=torch.finfo(taught.dtype).tiny)
    gain = 2**label - 1
    discount = 1 / torch.log2(places + 1)
    best = (gain.sort(descending=True).values * discount).sum()
    gain = gain / best.clamp(min=torch.finfo(taught.dtype).tiny)
    rank = score.argsort(descending=True, stable=True).argsort()
    apart = (rank[:, None] - rank[None, :]).abs()
    lost = torch.cat([discount.new_zeros(1), discount[:-1] - discount[1:]])[apart]  # 1/D(apart) - 1/D(apart + 1)
    return lost * (gain[:, None] - gain[None, :]).clamp(min=0)
