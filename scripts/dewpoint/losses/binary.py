"""`binary`: each passage for itself, relevant or not, by cross-entropy.

L_i = -1/m_i ( log σ(s_it) + Σ_j log σ(-s_ij) ), t = targets[i], j over all other passages that are not masked for i,
m_i of them with t
"""

from typing import TYPE_CHECKING, Literal

from dewpoint.study.bases import Loss

if TYPE_CHECKING:
    from torch import Tensor


class Binary(Loss):
    """Each passage for itself, relevant or not."""

    name: Literal["binary"]


def work(scores: "Tensor", known: dict[str, "Tensor"], settings) -> "Tensor":
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    wanted = torch.zeros_like(scores).scatter(1, known["targets"][:, None], 1.0)
    each = binary_cross_entropy_with_logits(scores, wanted, reduction="none").masked_fill(known["masked"], 0)
    return (each.sum(1) / (~known["masked"]).sum(1)).mean()
