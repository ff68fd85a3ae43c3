"""A small corpus to measure a retriever on while it is trained: MRR on it follows the whole corpus's, and is cheap.

It holds what is judged relevant to the development queries, what the rankers of the negatives rank high for them, and
passages at random.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.dataset import Dataset
from dewpoint.data.lots import rng
from dewpoint.data.runs import read_run
from dewpoint.data.streams import PROXY
from dewpoint.data.tokens import Texts
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.training import devices

CUTOFF = 10
MEASURE = f"development_MRR@{CUTOFF}"
SCORES = 2**24  # held at once


def development_queries(dataset: Dataset, settings) -> np.ndarray:
    """Which queries of the development split are asked: the same for every model of a seed."""
    queries = np.unique(dataset.positives(settings.development.split)[0])
    return np.sort(rng(settings.seed, PROXY).permutation(queries)[: settings.development.queries])


class Proxy:
    def __init__(self, dataset: Dataset, runs: list[Path], queries: Texts, passages: Texts, settings):
        wanted, self.rows = settings.development, development_queries(dataset, settings)
        judged = dataset.positives(wanted.split)
        judged = tuple(column[np.isin(judged[0], self.rows)] for column in judged)
        found = [judged[1], rng(settings.seed, PROXY, 1).permutation(len(passages))[: wanted.passages]]
        for run in map(read_run, runs):
            found.append(run.passage[(run.rank <= wanted.depth) & np.isin(run.query, self.rows)])
        self.passages = np.unique(np.concatenate(found))
        relevant = np.searchsorted(self.rows, judged[0]), np.searchsorted(self.passages, judged[1])
        self.relevant = torch.from_numpy(np.stack(relevant))
        self.texts = queries[self.rows], passages[self.passages]

    def measure(self, model: Retriever, query_special: dict, special: dict, tokens: int) -> dict[str, float]:
        """MRR of `model`; every device encodes its share, `tokens` at a time."""
        model.eval()
        queries = vectors(model.queries, self.texts[0], query_special, tokens)
        passages = vectors(model.passages, self.texts[1], special, tokens)
        model.train()
        return {MEASURE: reciprocal_rank(queries, passages, self.relevant.to(queries.device))}


def vectors(encoder: Encoder, texts: list, special: dict[str, int], tokens: int) -> Tensor:
    """float32 [texts, dimension], made by all devices together."""
    made = torch.zeros(len(texts[0].counts), encoder.dimension, device=encoder.device)
    mine = np.arange(devices.RANK, len(made), devices.WORLD)

    def keep(rows: np.ndarray, part: Tensor) -> None:
        made[mine[rows]] = part.float()

    encoder.encode([segment[mine] for segment in texts], special, tokens, keep)
    return devices.summed(made)


@torch.inference_mode()
def reciprocal_rank(queries: Tensor, passages: Tensor, relevant: Tensor) -> float:
    """Mean of 1 / (rank of the first relevant passage), zero beyond the cutoff; ties rank by row."""
    found, step = torch.zeros(len(queries), device=queries.device), max(1, SCORES // len(passages))
    row = torch.arange(len(passages), device=queries.device)
    for first in range(0, len(queries), step):
        scores = queries[first : first + step] @ passages.T
        query, passage = relevant[:, (relevant[0] >= first) & (relevant[0] < first + step)]
        right = torch.zeros_like(scores, dtype=torch.bool)
        right[query - first, passage] = True
        best = scores.where(right, -torch.inf).amax(1, keepdim=True)
        at = (right & (scores == best)).int().argmax(1, keepdim=True)  # the first of equals
        rank = 1 + ((scores > best) | ((scores == best) & (row < at))).sum(1)
        found[first : first + step] = torch.where(right.any(1) & (rank <= CUTOFF), 1 / rank, 0)
    return found.mean().item()
