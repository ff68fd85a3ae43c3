"""The way from hidden states to words, at masked positions only, a block of logits at a time."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from dewpoint.errors import UserError

LOGITS = 2**24  # held at once


def word_loss(language_model, hidden: Tensor, targets: Tensor, weight: float | Tensor) -> tuple[Tensor, Tensor]:
    """(Σ_i weight · CE(W h_i, x_i), each CE_i without a gradient) over hidden states [n, hidden]."""
    decoder = language_model.get_output_embeddings()
    bias = decoder.weight.new_zeros(len(decoder.weight)) if decoder.bias is None else decoder.bias
    return _WordLoss.apply(transform(language_model)(hidden), decoder.weight, bias, targets, weight)


@torch.no_grad()
def word_scores(language_model, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(CE_i, whether the likeliest word is the right one) of each hidden state."""
    decoder = language_model.get_output_embeddings()
    features = transform(language_model)(hidden)
    losses, right = [features.new_zeros(0, dtype=torch.float)], [targets.new_zeros(0, dtype=torch.bool)]
    for rows in _blocks(len(features), len(decoder.weight)):
        logits = nn.functional.linear(features[rows], decoder.weight, decoder.bias).float()
        losses.append(nn.functional.cross_entropy(logits, targets[rows], reduction="none"))
        right.append(logits.argmax(-1) == targets[rows])
    return torch.cat(losses), torch.cat(right)


def transform(language_model) -> Callable[[Tensor], Tensor]:
    """What the language-model head does before its projection."""
    if hasattr(language_model, "cls"):  # BERT
        return language_model.cls.predictions.transform
    if hasattr(language_model, "lm_head"):  # RoBERTa
        head = language_model.lm_head
        return lambda hidden: head.layer_norm(nn.functional.gelu(head.dense(hidden)))
    if language_model.config.model_type == "modernbert":
        return language_model.head
    kind = language_model.config.model_type
    raise UserError(
        f"models of class '{kind}' have a head of words that is not known here; BERT's, RoBERTa's and ModernBERT's are"
    )


class _WordLoss(torch.autograd.Function):
    """Computes the gradients on the way forward, so no logits are kept: dL/dlogits = weight · (softmax - one-hot)."""

    @staticmethod
    def forward(ctx, features, projection, bias, targets, weight):
        device = features.device.type
        low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
        to_features = torch.empty_like(features)
        to_projection, to_bias = torch.zeros_like(projection), torch.zeros_like(bias)
        losses = features.new_empty(len(features), dtype=torch.float)
        with torch.autocast(device, enabled=False):
            inputs, matrix, offset = features.to(low), projection.to(low), bias.to(low)
            for rows in _blocks(len(features), len(projection)):
                scores = torch.log_softmax(torch.addmm(offset, inputs[rows], matrix.T).float(), -1)
                at = targets[rows, None]
                losses[rows] = -scores.gather(1, at)[:, 0]
                to_scores = scores.exp_().scatter_add_(1, at, -torch.ones_like(at, dtype=scores.dtype)).mul_(weight)
                to_scores = to_scores.to(low)
                to_features[rows] = (to_scores @ matrix).to(to_features.dtype)
                to_projection += to_scores.T @ inputs[rows]
                to_bias += to_scores.sum(0)
        ctx.save_for_backward(to_features, to_projection, to_bias)
        ctx.mark_non_differentiable(losses)
        return losses.sum() * weight, losses

    @staticmethod
    def backward(ctx, gradient, _):
        return *(gradient * saved for saved in ctx.saved_tensors), None, None


def _blocks(rows: int, words: int) -> Iterator[slice]:
    size = max(1, LOGITS // words)
    return (slice(first, first + size) for first in range(0, rows, size))
