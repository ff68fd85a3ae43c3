"""What a retriever is measured on while it is trained, by vectors made anew each time.

Either a small corpus, on which MRR follows the whole corpus's and is cheap: what is judged relevant to the development
queries, what the rankers of the negatives rank high for them, and passages at random. Or candidates of each query by
itself, as Hofstätter et al. (2021) have it: what one ranker ranks high for it, and what is judged relevant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.dataset import Dataset
from dewpoint.data.gains import normalised_gain
from dewpoint.data.lots import rng
from dewpoint.data.runs import find, pair_numbers, query_blocks
from dewpoint.data.streams import PROXY
from dewpoint.data.tokens import Texts, input_lengths, ragged_range
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.models.max_sim import max_sim
from dewpoint.training import devices

CUTOFF = 10
SCORES = 2**24  # held at once
Pairs = tuple[np.ndarray, np.ndarray]  # rows of queries, of passages


@dataclass
class Several:
    """Vectors of texts that have several each, one after another; `counts` says how many are each text's."""

    vectors: Tensor
    counts: Tensor

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, rows: Tensor | slice) -> "Several":
        first, counts = (self.counts.cumsum(0) - self.counts)[rows], self.counts[rows]
        text = torch.arange(len(counts), device=self.device).repeat_interleave(counts)
        within = torch.arange(len(text), device=self.device) - (counts.cumsum(0) - counts)[text]
        return Several(self.vectors[first[text] + within], counts)

    @property
    def device(self) -> torch.device:
        return self.counts.device

    @property
    def most(self) -> int:
        return int(self.counts.max())


Vectors = Tensor | Several


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
        with torch.autocast(queries.device.type, enabled=False):  # scores in bfloat16 would tie
            return {self.name: self.value(queries, passages)}

    def value(self, queries: Vectors, passages: Vectors) -> float:
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


def vectors(encoder: Encoder, texts: list, special: dict[str, int], tokens: int) -> Vectors:
    """float32, made by all devices together: one a text, [texts, dimension], or several."""
    counts = input_lengths(texts, special) if encoder.several else np.ones(len(texts[0].counts), np.int64)
    made, first = torch.zeros(counts.sum(), encoder.dimension, device=encoder.device), np.cumsum(counts) - counts
    mine = np.arange(devices.RANK, len(counts), devices.WORLD)

    def keep(rows: np.ndarray, part) -> None:
        text, within = ragged_range(counts[mine[rows]])
        made[first[mine[rows]][text] + within] = (part.flat()[0] if encoder.several else part).float()

    encoder.encode([segment[mine] for segment in texts], special, tokens, keep)
    whole = devices.summed(made)
    return Several(whole, torch.from_numpy(counts).to(whole.device)) if encoder.several else whole


def all_scores(queries: Vectors, passages: Vectors) -> Tensor:
    """[queries, passages]: inner products, or max-sim."""
    if not isinstance(queries, Several):
        return queries @ passages.T
    size = max(1, SCORES // (passages.most * passages.vectors.shape[1]))
    parts = (passages[first : first + size] for first in range(0, len(passages), size))
    return torch.cat([max_sim(queries.vectors, queries.counts, part.vectors, part.counts) for part in parts], 1)


def pair_scores(queries: Vectors, passages: Vectors, query: Tensor, passage: Tensor) -> Tensor:
    """One a pair; those of a query lie together."""
    if isinstance(queries, Several):
        each, counts = query.unique_consecutive(return_counts=True)
        parts = zip(each.split(1), passage.split(counts.tolist()), strict=True)
        return torch.cat([all_scores(queries[one], passages[at])[0] for one, at in parts])
    step = max(1, SCORES // passages.shape[1])
    parts = zip(query.split(step), passage.split(step), strict=True)
    return torch.cat([(queries[of] * passages[at]).sum(1) for of, at in parts])


@torch.inference_mode()
def corpus_ranks(queries: Vectors, passages: Vectors, query: Tensor, passage: Tensor) -> Tensor:
    """The rank of each pair's passage among all passages; ties rank by row."""
    each = queries.most if isinstance(queries, Several) else 1
    found, step = torch.zeros_like(query), max(1, SCORES // (each * len(passages)))
    row = torch.arange(len(passages), device=queries.device)
    for first in range(0, len(queries), step):
        scores = all_scores(queries[first : first + step], passages)
        for pairs in torch.where((query >= first) & (query < first + step))[0].split(step):
            of, at = scores[query[pairs] - first], passage[pairs, None]
            own = of.gather(1, at)
            found[pairs] = 1 + ((of > own) | ((of == own) & (row < at))).sum(1)
    return found


@torch.inference_mode()
def candidate_ranks(queries: Vectors, passages: Vectors, query: Tensor, passage: Tensor) -> Tensor:
    """The rank of each candidate among its query's, which lie together, by rising row; ties rank by row."""
    scores = pair_scores(queries, passages, query, passage)
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
