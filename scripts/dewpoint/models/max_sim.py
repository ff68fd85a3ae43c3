"""Late interaction's score of every query with every passage, with its gradient, in bounded memory.

    s(q, p) = Σ_i max_j q_i · p_j        ∂s/∂q_i = p_j*,  ∂s/∂p_j = Σ_i [j = j*(i)] q_i,  j* the nearest of i

Only which passage vector is nearest is kept for the gradient: a number for each query vector and passage.
"""

import torch
from torch import Tensor

HELD = 2**25  # products held at once


def max_sim(queries: Tensor, query_counts: Tensor, passages: Tensor, passage_counts: Tensor) -> Tensor:
    """[queries, passages] from vectors one after another; the counts say how many are each text's, one at least."""
    text = torch.arange(len(query_counts), device=queries.device).repeat_interleave(query_counts)
    nearest = _Nearest.apply(queries, passages, passage_counts)
    scores = torch.zeros(len(query_counts), len(passage_counts), dtype=queries.dtype, device=queries.device)
    return scores.index_add(0, text, nearest)


class _Nearest(torch.autograd.Function):
    """Each query vector's largest product with any vector of each passage, [query vectors, passages]."""

    @staticmethod
    def forward(ctx, queries: Tensor, passages: Tensor, counts: Tensor) -> Tensor:
        counted = torch.arange(int(counts.max()), device=counts.device) < counts[:, None]
        padded = passages.new_zeros(*counted.shape, passages.shape[1])
        padded[counted] = passages
        nearest = queries.new_empty(len(queries), len(counts))
        at = torch.empty(len(queries), len(counts), dtype=torch.int64, device=queries.device)
        for block in _blocks(queries, counted):
            products = (queries[block] @ padded.flatten(0, 1).T).unflatten(1, counted.shape)
            nearest[block], at[block] = products.masked_fill_(~counted, -torch.inf).max(2)
        ctx.save_for_backward(queries, padded, counted, at)
        return nearest

    @staticmethod
    def backward(ctx, gradient: Tensor):
        queries, padded, counted, at = ctx.saved_tensors
        flat, first = padded.flatten(0, 1), torch.arange(0, counted.numel(), counted.shape[1], device=at.device)
        of_queries, of_passages = torch.empty_like(queries), torch.zeros_like(flat)
        for block in _blocks(queries, counted):
            chosen = gradient.new_zeros(len(at[block]), len(flat)).scatter_(1, at[block] + first, gradient[block])
            of_queries[block] = chosen @ flat
            of_passages += chosen.T @ queries[block]
        return of_queries, of_passages.unflatten(0, counted.shape)[counted], None


def _blocks(queries: Tensor, counted: Tensor) -> list[slice]:
    """Query vectors whose products with all of `counted` are held together."""
    size = max(1, HELD // max(1, counted.numel()))
    return [slice(first, first + size) for first in range(0, len(queries), size)]
