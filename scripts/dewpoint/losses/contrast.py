"""`contrast`: cross-entropy of each query's positive against the passages that may be its negatives.

L_i = -log( exp(s_it / τ) / Σ_j exp(s_ij / τ) ), t = targets[i], j over all passages that are not masked for i
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dewpoint.study.bases import Loss

if TYPE_CHECKING:
    from torch import Tensor


class Contrast(Loss):
    """A query's positive against all passages of the batch that may be its negatives."""

    name: Literal["contrast"]
    temperature: float = Field(1.0, gt=0, description="τ, by which scores are divided; small for vectors of length one")


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    import torch
    from torch.nn.functional import cross_entropy

    return cross_entropy((scores / settings.temperature).masked_fill(known["masked"], -torch.inf), known["targets"])
