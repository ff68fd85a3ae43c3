"""How alike two vectors are: the nearer the higher, row by row of two tensors [rows, dimension]."""

import torch
from torch import Tensor


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """one · other / (|one| |other|); 0 where one of them is."""
    return torch.nn.functional.cosine_similarity(one, other, dim=-1)


def dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(-1)


def euclidean(one: Tensor, other: Tensor) -> Tensor:
    """-|one - other|."""
    return -torch.linalg.vector_norm(one - other, dim=-1)


def manhattan(one: Tensor, other: Tensor) -> Tensor:
    """-Σ |one_i - other_i|."""
    return -torch.linalg.vector_norm(one - other, ord=1, dim=-1)


SIMILARITIES = {"cosine": cosine, "dot": dot, "euclidean": euclidean, "manhattan": manhattan}
