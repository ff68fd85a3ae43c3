"""What a retriever is measured on while it is trained, by vectors made anew each time.

Either a small corpus, on which MRR follows the whole corpus's and is cheap: what is judged relevant to the development
queries, what the rankers of the negatives rank high for them, and passages at random. Or candidates of each query by
itself, as Hofstätter et al. (2021) have it: what one ranker ranks high for it, and what is judged relevant.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.dataset import Dataset
from dewpoint.data.gains import normalised_gain
from dewpoint.data.lots import rng
from dewpoint.data.runs import find, pair_numbers, query_blocks
from dewpoint.data.streams import PROXY
from dewpoint.data.tokens import Texts
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.training import devices

CUTOFF = 10
SCORES = 2**24  # held at once
Pairs = tuple[np.ndarray, np.ndarray]  # rows of queries, of passages


def development_queries(dataset: Dataset, settings) -> np.ndarray:
    """Which queries of the development split are asked: the same for every model of a seed."""
    queries = np.unique(dataset.positives(settings.development.split)[0])
    return np.sort(rng(settings.seed, PROXY).permutation(queries)[: settings.development.queries])


class Proxy:
    """`rows` are the queries, `passages` all that is ranked for one of them or more, each encoded once."""

    def __init__(self, dataset: Dataset, runs: list[Path], queries: Texts, passages: Texts, settings):
        wanted, self.rows = settings.development, development_queries(dataset, settings)
        self.metric, self.name = wanted.metric, f"development_{wanted.metric}"
        judged = dataset.judgements(wanted.split)
        query, passage, self.grade = (column[np.isin(judged[0], self.rows)] for column in judged)
        self.relevant = self.grade >= dataset.relevant(wanted.split)
        pairs = [(query[self.relevant], passage[self.relevant])]
        pairs += [found for run in runs for found in first_ranks(run, self.rows, wanted.depth)]
        asked, found = map(np.concatenate, zip(*pairs, strict=True))
        some = 0 if wanted.reranks else wanted.passages
        self.passages = np.unique(
            np.concatenate([found, rng(settings.seed, PROXY, 1).permutation(len(passages))[:some]])
        )
        self.texts = queries[self.rows], passages[self.passages]

        self.query, (candidates, judged) = (
            np.searchsorted(self.rows, query),
            pair_numbers((asked, found), (query, passage)),
        )
        self.candidates = None
        if wanted.reranks:
            candidates, first = np.unique(candidates, return_index=True)
            columns = np.searchsorted(self.rows, asked[first]), np.searchsorted(self.passages, found[first])
            self.candidates = tuple(map(torch.from_numpy, columns))
            self.found, self.at = find(candidates, judged)
        else:
            self.found, self.at = find(self.passages, passage)

    def measure(self, model: Retriever, query_special: dict, special: dict, tokens: int) -> dict[str, float]:
        """The metric of `model`; every device encodes its share, `tokens` at a time."""
        model.eval()
        queries = vectors(model.queries, self.texts[0], query_special, tokens)
        passages = vectors(model.passages, self.texts[1], special, tokens)
        model.train()
        return {self.name: self.value(queries, passages)}

    def value(self, queries: Tensor, passages: Tensor) -> float:
        """The metric of these vectors, of the judged passages that are ranked at all."""
        query, at = (torch.from_numpy(rows).to(queries.device) for rows in (self.query[self.found], self.at))
        if self.candidates is None:
            rank = corpus_ranks(queries, passages, query, at)
        else:
            rank = candidate_ranks(queries, passages, *(rows.to(queries.device) for rows in self.candidates))[at]
        if self.metric.startswith("MRR"):
            right = torch.from_numpy(self.relevant[self.found]).to(queries.device)
            return reciprocal_rank(query[right], rank[right], len(queries))
        ranks = np.zeros(len(self.query), np.int64)
        ranks[self.found] = rank.cpu().numpy()
        return float(normalised_gain(self.query, self.grade, ranks, len(queries), CUTOFF).mean())


def first_ranks(run: Path, queries: np.ndarray, depth: int) -> Iterator[Pairs]:
    """What a run ranks high for some of its queries; it is never whole in memory."""
    for block in query_blocks(run):
        taken = (block.rank <= depth) & np.isin(block.query, queries)
        yield block.query[taken], block.passage[taken]


def vectors(encoder: Encoder, texts: list, special: dict[str, int], tokens: int) -> Tensor:
    """float32 [texts, dimension], made by all devices together."""
    made = torch.zeros(len(texts[0].counts), encoder.dimension, device=encoder.device)
    mine = np.arange(devices.RANK, len(made), devices.WORLD)

    def keep(rows: np.ndarray, part: Tensor) -> None:
        made[mine[rows]] = part.float()

    encoder.encode([segment[mine] for segment in texts], special, tokens, keep)
    return devices.summed(made)


@torch.inference_mode()
def corpus_ranks(queries: Tensor, passages: Tensor, query: Tensor, passage: Tensor) -> Tensor:
    """The rank of each pair's passage among all passages; ties rank by row."""
    found, step = torch.zeros_like(query), max(1, SCORES // len(passages))
    row = torch.arange(len(passages), device=queries.device)
    for first in range(0, len(queries), step):
        scores = queries[first : first + step] @ passages.T
        for pairs in torch.where((query >= first) & (query < first + step))[0].split(step):
            of, at = scores[query[pairs] - first], passage[pairs, None]
            own = of.gather(1, at)
            found[pairs] = 1 + ((of > own) | ((of == own) & (row < at))).sum(1)
    return found


@torch.inference_mode()
def candidate_ranks(queries: Tensor, passages: Tensor, query: Tensor, passage: Tensor) -> Tensor:
    """The rank of each candidate among its query's, which lie together, by rising row; ties rank by row."""
    step = max(1, SCORES // passages.shape[1])
    parts = zip(query.split(step), passage.split(step), strict=True)
    scores = torch.cat([(queries[of] * passages[at]).sum(1) for of, at in parts])
    order = scores.argsort(descending=True, stable=True)
    order = order[query[order].argsort(stable=True)]
    rank = torch.empty_like(query)
    rank[order] = torch.arange(len(query), device=query.device) - torch.searchsorted(query, query) + 1
    return rank


def reciprocal_rank(query: Tensor, rank: Tensor, queries: int) -> float:
    """Mean of 1 / (rank of the first relevant passage), zero beyond the cutoff."""
    best = torch.full((queries,), CUTOFF + 1, device=rank.device)
    best.scatter_reduce_(0, query, rank, "amin")
    return torch.where(best <= CUTOFF, 1 / best, 0).mean().item()
