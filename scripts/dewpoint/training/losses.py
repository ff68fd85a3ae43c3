"""Losses over embeddings. Each sees the whole batch, and is a mean over its rows."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

# --- contrast between passages of a batch -------------------------------------------------------


def ranking_loss(queries: Tensor, passages: Tensor, targets: Tensor, masked: Tensor, temperature: float = 1.0):
    """L_i = -log( exp(q_i·p_t) / Σ_j exp(q_i·p_j) ), t = targets[i], j over all passages that are not masked for i."""
    scores = queries @ passages.T / temperature
    return cross_entropy(scores.masked_fill(masked, -torch.inf), targets)


# --- contrast between spans of documents --------------------------------------------------------


def span_loss(spans: Tensor, temperature: float = 1.0):
    """L_ij = -log( exp(h_i1·h_i2) / Σ_{(k,l) ≠ (i,j)} exp(h_ij·h_kl) ); document i's spans are rows 2i and 2i + 1."""
    scores = spans @ spans.T / temperature
    scores.fill_diagonal_(-torch.inf)
    return cross_entropy(scores, torch.arange(len(spans), device=spans.device) ^ 1)
