"""What losses that follow a teacher have in common: which passages have a part, and what the teacher says of them."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dewpoint.study.bases import Loss

if TYPE_CHECKING:
    from torch import Tensor

Known = dict[str, "Tensor"]


class Taught(Loss):
    needs_teacher: ClassVar[bool] = True


class TaughtShares(Taught):
    temperature: float = Field(1.0, gt=0, description="τ, by which both scores are divided")


class TaughtMargins(Taught):
    teacher_scale: float = Field(
        1.0, gt=0, description="γ, by which the teacher's scores are multiplied, so that its margins are a student's"
    )


def at_targets(values: "Tensor", known: Known) -> "Tensor":
    """[queries, 1], each query's positive."""
    return values.gather(1, known["targets"][:, None])


def listed(known: Known) -> "Tensor":
    """[queries, passages], those that have a teacher's score and are not masked; a query whose positive has none has
    no such passage."""
    scored = ~known["teacher"].isnan()
    return scored & ~known["masked"] & at_targets(scored, known)


def squared_margins(scores: "Tensor", known: Known, part: "Tensor", scale: float) -> "Tensor":
    """((s_i+ - s_ij) - γ (t_i+ - t_ij))² where passages have a part, elsewhere 0 and without gradient; γ is `scale`."""
    taught = known["teacher"].masked_fill(~part, 0)
    wanted = scale * (at_targets(known["teacher"], known).nan_to_num() - taught)
    return (at_targets(scores, known) - scores - wanted).square().masked_fill(~part, 0)


def log_shares(scores: "Tensor", part: "Tensor", temperature: float) -> "Tensor":
    """log softmax over the passages of each query that have a part; 0 elsewhere."""
    import torch

    # a query without any is given all, so that no gradient is nan; its terms are taken out by whoever asks
    part = part | ~part.any(1, keepdim=True)
    shares = (scores / temperature).masked_fill(~part, -torch.inf).log_softmax(1)
    return shares.masked_fill(~part, 0)


def taught_shares(known: Known, part: "Tensor", temperature: float) -> "Tensor":
    """softmax of the teacher's scores over the passages of each query that have a part; 0 elsewhere."""
    return log_shares(known["teacher"].masked_fill(~part, 0), part, temperature).exp().masked_fill(~part, 0)
