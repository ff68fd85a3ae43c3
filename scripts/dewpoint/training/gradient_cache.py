"""Gradients of a loss over all vectors of a batch, with the memory of one chunk.

    L = loss(v_1 … v_n) + Σ_c extra_c        v = encode(chunk c), extra_c depends on chunk c alone

Pass 1 computes the vectors without a graph, then g = dL/dv. Pass 2 encodes each chunk again, with its graph, and
runs backward through Σ g·v + extra_c. Both passes see the same dropout, because each chunk has its own random seed.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def backward(
    chunks: Sequence,
    encode: Callable[[object, bool], tuple[Tensor, Tensor | None]],
    loss: Callable[[Tensor], Tensor],
    seed: int,
    cached: bool,
) -> float:
    """Accumulate the gradients of `loss` over the vectors of all chunks, and of every chunk's extra term.

    `encode(chunk, whole)` gives (vectors, extra term); with `whole` false only the vectors are asked for. Without the
    cache every chunk's graph is kept and nothing is computed twice. Returns the loss over the vectors.
    """
    if not cached or len(chunks) == 1:
        encoded = [_seeded(seed, index, encode, chunk, True) for index, chunk in enumerate(chunks)]
        value = loss(torch.cat([vectors.float() for vectors, _ in encoded]))
        (value + sum(extra for _, extra in encoded if extra is not None)).backward()
        return value.item()

    with torch.no_grad():
        vectors = [_seeded(seed, index, encode, chunk, False)[0].float() for index, chunk in enumerate(chunks)]
    leaves = torch.cat(vectors).requires_grad_()
    value = loss(leaves)
    value.backward()
    gradients = leaves.grad.split([len(v) for v in vectors])
    for index, (chunk, gradient) in enumerate(zip(chunks, gradients, strict=True)):
        again, extra = _seeded(seed, index, encode, chunk, True)
        surrogate = (again.float() * gradient).sum()
        (surrogate if extra is None else surrogate + extra).backward()
    return value.item()


def _seeded(seed: int, index: int, encode, chunk, whole: bool):
    torch.manual_seed(seed * 1_000_003 + index)
    return encode(chunk, whole)
