"""Dropout that is a function of the row: the same text is dropped alike in any chunk, on any device.

    keep(row, place, channel) = hash(key of the row, site, place) · hash(site, channel), mixed  ≥  p · 2³²

`site` numbers the modules of a model, `place` is whatever lies between the first and the last axis (a position; a head
and a position in attention). Padding and the other rows of a chunk have no part in it.
"""

from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dewpoint.errors import UserError
from dewpoint.models import parts

# up to this length a processor's way back through attention is 1.6 to 4.6 times as fast in float32 as in bfloat16
SHORT = 128


class WithoutKeys(RuntimeError):
    """Something is dropped whose first axis is not the rows that have keys."""


class Keys:
    """The keys of the rows that a model is at work on: one object, which all modules of the model share."""

    def __init__(self):
        self.rows: Tensor | None = None


@contextmanager
def keyed(model: nn.Module, keys: Tensor):
    """Within it, row i of every tensor that `model` drops has `keys[i]` (int32)."""
    shared = model.row_keys
    before, shared.rows = shared.rows, keys
    try:
        yield
    finally:
        shared.rows = before


def kept(keys: Tensor | None, site: int, p: float, shape: tuple[int, ...]) -> Tensor:
    """Which elements stay, as booleans."""
    if keys is None or len(keys) != shape[0]:
        raise WithoutKeys("dropout without the keys of its rows: training runs within keyed()")
    hashed = _mix(keys + site * 0x2545F491)
    for places in shape[1:-1]:
        place = torch.arange(1, places + 1, dtype=torch.int32, device=keys.device)
        hashed = _mix(hashed[..., None] + place * 0x3C6EF372)
    channel = torch.arange(1, shape[-1] + 1, dtype=torch.int32, device=keys.device)
    bits = hashed[..., None] * (_mix(channel * 0x3C6EF372 + site) | 1)
    bits ^= bits >> 15
    bits *= -0x61C88647
    return bits >= round(p * 2**32) - 2**31


def _mix(x: Tensor) -> Tensor:
    """A 32-bit finaliser; torch has no unsigned shifts, so the sign is masked away."""
    x = (x ^ (x >> 16 & 0xFFFF)) * 0x45D9F3B
    x = (x ^ (x >> 16 & 0xFFFF)) * 0x45D9F3B
    return x ^ (x >> 16 & 0xFFFF)


class Dropout(nn.Module):
    """Takes the place of nn.Dropout; `install` numbers it and gives it the model's keys."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        return _Drop.apply(x, kept(self.row_keys.rows, self.site, self.p, x.shape), 1 / (1 - self.p))


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, keep, scale):
        ctx.save_for_backward(keep)
        ctx.scale = scale
        return x * keep.to(x.dtype).mul_(scale)

    @staticmethod
    def backward(ctx, gradient):
        (keep,) = ctx.saved_tensors
        return gradient * keep.to(gradient.dtype).mul_(ctx.scale), None, None


class _Attend(torch.autograd.Function):
    """O = (S ∘ keep / (1 - p)) V, S = softmax(scale · Q Kᵀ + B); Q, K, V, S and `keep` are held for the way back."""

    @staticmethod
    def forward(ctx, query, key, value, bias, hidden, keep, scale, grow):
        scores = (query @ key.transpose(2, 3)).float().mul_(scale)
        if bias is not None:
            scores += bias
        if hidden is not None:
            scores.masked_fill_(hidden, torch.finfo(scores.dtype).min)  # padding may see nothing; it must stay a number
        weights = torch.softmax(scores, -1).to(query.dtype)
        ctx.save_for_backward(query, key, value, weights, keep)
        ctx.scale, ctx.grow, ctx.bias = scale, grow, None if bias is None else bias.shape
        return (weights * keep.to(weights.dtype).mul_(grow)) @ value

    @staticmethod
    def backward(ctx, gradient):
        query, key, value, weights, keep = ctx.saved_tensors
        drop = keep.to(weights.dtype).mul_(ctx.grow)
        to_value = (weights * drop).transpose(2, 3) @ gradient
        to_weights = (gradient @ value.transpose(2, 3)).mul_(drop)
        weighted = to_weights.float() * weights
        to_scores = weighted - weights * weighted.sum(-1, keepdim=True)
        to_bias = to_scores.sum_to_size(ctx.bias).clone() if ctx.needs_input_grad[3] else None
        to_scores = to_scores.mul_(ctx.scale).to(query.dtype)
        return to_scores @ key, to_scores.transpose(2, 3) @ query, to_value, to_bias, None, None, None, None


def attend(
    module, query, key, value, mask, dropout=0.0, scaling=None, position_bias=None, softcap=None, s_aux=None, **_
):
    """Attention as transformers calls it: its fused kernel when nothing is dropped, keyed dropout when something is.

    Without a mask a causal module sees what was before, and where it has few keys each is several queries'.
    """
    if softcap is not None or s_aux is not None:
        raise UserError("attention with capped scores or sinks is not known here; take a model of another class")
    query, key = query.to(value.dtype), key.to(value.dtype)  # norms of their own leave the low precision
    if (shared := query.shape[1] // key.shape[1]) > 1:
        key, value = (part.repeat_interleave(shared, 1) for part in (key, value))
    causal = mask is None and getattr(module, "is_causal", False) and query.shape[2] > 1
    if causal and (dropout or position_bias is not None):
        mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril()
        causal = False
    hidden = None if mask is None else ~mask
    if dropout:
        keep = kept(module.row_keys.rows, module.site, dropout, (*query.shape[:3], key.shape[2]))
        out = _Attend.apply(query, key, value, position_bias, hidden, keep, scaling, 1 / (1 - dropout))
    else:
        if position_bias is not None:
            mask = position_bias if mask is None else position_bias.masked_fill(hidden, -torch.inf)
        on_processor = query.device.type == "cpu" and query.dtype == torch.bfloat16
        exact = on_processor and module.training and key.shape[2] <= SHORT
        out = _fused(query, key, value, mask, exact=exact, scale=scaling, is_causal=causal)
    return out.transpose(1, 2).contiguous(), None


def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, *, exact: bool, **how) -> Tensor:
    """torch's kernel, in float32 if it is to be `exact`."""
    dtype = torch.float32 if exact else value.dtype
    if mask is not None and mask.is_floating_point():
        mask = mask.to(dtype)
    with torch.autocast(value.device.type, enabled=False):
        out = nn.functional.scaled_dot_product_attention(query.to(dtype), key.to(dtype), value.to(dtype), mask, **how)
    return out.to(value.dtype)


def install(model: nn.Module, *transformers) -> None:
    """Give `model` keyed dropout throughout, and its transformers (parts with a config) attention that uses it."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register("keyed", attend)
    AttentionMaskInterface.register("keyed", sdpa_mask)
    for transformer in transformers:
        if transformer.config._attn_implementation == "sdpa":
            transformer.set_attn_implementation("keyed")
        parts.embeddings(transformer).register_forward_hook(_to_autocast)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                of_rows = name != "pos_dropout"  # DeBERTa's, on relative positions, which belong to no row
                setattr(module, name, Dropout(child.p if of_rows else 0.0))
    keys = Keys()
    for site, module in enumerate(model.modules()):
        module.site, module.row_keys = site, keys
    for transformer in transformers:
        _refuse_other_dropout(transformer)


@torch.no_grad()
def _refuse_other_dropout(transformer) -> None:
    """Whatever a model drops must follow from its rows' keys: a forward pass draws nothing from torch's generator."""
    encoder, device = transformer.base_model, transformer.device
    generator = torch.cuda if device.type == "cuda" else torch
    ids, training = torch.ones(3, 4, dtype=torch.long, device=device), encoder.training
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        before = generator.get_rng_state()
        try:
            with keyed(encoder, torch.arange(len(ids), dtype=torch.int32, device=device)):
                more = {"decoder_input_ids": ids} if hasattr(encoder, "decoder") else {}
                encoder.train()(ids, attention_mask=torch.ones_like(ids), **more)
            by_rows = torch.equal(generator.get_rng_state(), before)
        except WithoutKeys:
            by_rows = False
    encoder.train(training)
    if not by_rows:
        kind = transformer.config.model_type
        raise UserError(f"models of class '{kind}' have dropout that is not of rows; set its rate to 0 in config.json")


def _to_autocast(module, inputs, output: Tensor) -> Tensor:
    """Hidden states run in the low precision from the first layer on, instead of being cast before every product."""
    device = output.device.type
    return output.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else output
