"""Gradients of a loss over all vectors of a batch, with the memory of one chunk.

    L = loss(v_1 … v_n) + Σ_c extra_c        v = encode(chunk c), extra_c depends on chunk c alone

Pass 1 computes the vectors without a graph, then g = dL/dv. Pass 2 encodes each chunk again, with its graph, and
runs backward through Σ g·v + extra_c. Both passes see the same dropout, which is a function of the row. The vectors of
all devices are gathered between the passes: each device then knows its own rows' part of the whole gradient.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from dewpoint.training.chunks import Batch, Chunk
from dewpoint.training.devices import summed

Encode = Callable[[Chunk, bool], tuple[Tensor, Tensor | None]]


def backward(batch: Batch, encode: Encode, dimension: int, loss: Callable[[Tensor], Tensor]) -> float:
    """Accumulate the gradients of `loss` over all vectors of the whole batch, and of every chunk's extra term.

    `encode(chunk, whole)` gives (vectors, extra term); with `whole` false only the vectors are asked for. `loss` takes
    the vectors in the order of their rows. When memory holds all chunks they are encoded once. Returns the loss.
    """
    with torch.set_grad_enabled(batch.once):
        encoded = [encode(chunk, batch.once) for chunk in batch.chunks]
    vectors = torch.zeros(batch.rows, dimension, device=batch.device)
    for chunk, (part, _) in zip(batch.chunks, encoded, strict=True):
        vectors[chunk.rows] = part.detach().float()
    vectors = summed(vectors).requires_grad_()
    value = loss(vectors)
    value.backward()
    for index, chunk in enumerate(batch.chunks):
        part, extra = encoded[index] if batch.once else encode(chunk, True)
        surrogate = (part.float() * vectors.grad[chunk.rows]).sum()
        (surrogate if extra is None else surrogate + extra).backward()
    return value.item()
