"""Streams: `batch(step)` is a function of the seed and the step, so there is nothing to replay on resume."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dewpoint.data.negatives import Negatives
from dewpoint.data.tokens import Ragged, Slices, assemble, ragged_range, truncate
from dewpoint.errors import UserError

WINDOWS, SPANS, INSTANCES, BATCH, MASKS = range(5)  # what a random generator is for


def rng(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng([seed, *key])


@dataclass
class Epochs:
    """Rows 0 … count - 1 in a fresh order every epoch, in batches; an epoch's last batch may be short."""

    count: int
    size: int
    seed: int

    def __post_init__(self):
        if not self.count:
            raise UserError("nothing to train on: every text is too short, or no query has a positive")
        self.steps = -(-self.count // self.size)
        self.order = lru_cache(maxsize=1)(lambda epoch: rng(self.seed, INSTANCES, epoch).permutation(self.count))

    def rows(self, step: int) -> tuple[int, np.ndarray]:
        """(epoch, rows of the batch) at a step."""
        epoch, index = divmod(step, self.steps)
        return epoch, self.order(epoch)[index * self.size : (index + 1) * self.size]


def join(passages: Ragged, unit: np.ndarray | None) -> Ragged:
    """Texts of passages joined by document, in passage order; each passage for itself when `unit` is None."""
    if unit is None:
        return passages
    order = np.argsort(unit, kind="stable")
    row, within = ragged_range(passages.lengths[order])
    totals = np.bincount(unit, weights=passages.lengths).astype(np.int64)
    return Ragged(passages.values[passages.offsets[order][row] + within], np.concatenate([[0], np.cumsum(totals)]))


class Blocks:
    """Windows of documents for language modelling: about one for each `length` tokens, placed afresh every epoch."""

    def __init__(self, documents: Ragged, special: dict[str, int], length: int, size: int, seed: int):
        self.documents, self.special, self.room, self.seed = documents, special, length - 2, seed
        usable = np.where(documents.lengths > 0, np.maximum(1, documents.lengths // self.room), 0)
        self.document = np.repeat(np.arange(len(documents)), usable)
        self.epochs = Epochs(len(self.document), size, seed)

    def batch(self, step: int) -> np.ndarray:
        _, rows = self.epochs.rows(step)
        document = self.document[rows]
        counts = np.minimum(self.documents.lengths[document], self.room)
        slack = self.documents.lengths[document] - counts
        starts = self.documents.offsets[document] + rng(self.seed, WINDOWS, step).integers(0, slack + 1)
        return assemble([Slices(self.documents.values, starts, counts)], self.special)


class SpanPairs:
    """Two random spans of each of a batch's documents that never overlap; rows 2i and 2i + 1 are siblings."""

    MIN_SPAN = 8

    def __init__(self, documents: Ragged, special: dict[str, int], length: int, size: int, seed: int):
        self.documents, self.special, self.room, self.seed = documents, special, length - 2, seed
        self.document = np.flatnonzero(documents.lengths >= 2 * self.MIN_SPAN)
        self.epochs = Epochs(len(self.document), size, seed)

    def batch(self, step: int) -> np.ndarray:
        _, rows = self.epochs.rows(step)
        document, random = self.document[rows], rng(self.seed, SPANS, step)
        lengths = self.documents.lengths[document]
        counts = np.minimum(lengths // 2, self.room)
        first, second = np.sort(random.integers(0, (lengths - 2 * counts + 1)[:, None], (len(rows), 2)), axis=1).T
        starts = self.documents.offsets[document][:, None] + np.stack([first, second + counts], axis=1)
        starts = random.permuted(starts, axis=1)
        return assemble([Slices(self.documents.values, starts.ravel(), counts.repeat(2))], self.special)


@dataclass
class RetrieverBatch:
    queries: np.ndarray  # input ids [n, length]
    passages: np.ndarray  # input ids [n · (1 + negatives), length], a query's positive first
    targets: np.ndarray  # the row of each query's positive among the passages
    masked: np.ndarray  # [n, passages]: judged relevant, or here a second time, so not a negative


class RetrieverBatches:
    """Queries, each with a positive and its next negatives; both rotate by epoch.

    An instance is a query with the negatives of one ranker: with two rankers a query comes twice an epoch.
    """

    def __init__(
        self,
        queries: list[Ragged],
        passages: list[Ragged],
        judged: tuple[np.ndarray, np.ndarray],
        negatives: Negatives,
        settings,
        special: dict[str, int],
        seed: int,
    ):
        self.queries, self.passages, self.settings = queries, passages, settings
        self.special, self.seed = special, seed
        self.total = len(passages[0])
        self.judged = np.unique(judged[0].astype(np.int64) * self.total + judged[1])  # query · total + passage
        first, last = np.searchsorted(self.judged, np.stack([negatives.query, negatives.query + 1]) * self.total)
        trainable = np.flatnonzero(last > first)
        self.query = negatives.query[trainable]
        self.positives = first[trainable], (last - first)[trainable]
        self.pool = negatives.passages
        self.negatives = negatives.offsets[:-1][trainable], np.diff(negatives.offsets)[trainable]
        self.epochs = Epochs(len(self.query), settings.batch_size, seed)

    def batch(self, step: int) -> RetrieverBatch:
        epoch, rows = self.epochs.rows(step)
        random = rng(self.seed, BATCH, step)
        query = self.query[rows]
        first, counts = self.positives
        positive = self.judged[first[rows] + epoch % counts[rows]] % self.total
        passage = np.concatenate([positive[:, None], self._negatives(rows, epoch, random)], axis=1)
        flat = passage.ravel()
        targets = np.arange(len(rows)) * passage.shape[1]
        masked = np.isin(query[:, None] * self.total + flat, self.judged)
        masked[np.arange(len(rows)), targets] = False
        return RetrieverBatch(
            assemble(truncate(self.queries, query, self.settings.query_length), self.special),
            assemble(truncate(self.passages, flat, self.settings.passage_length), self.special),
            targets,
            masked,
        )

    def _negatives(self, rows: np.ndarray, epoch: int, random: np.random.Generator) -> np.ndarray:
        """The next negatives of each row's pool, round and round; a short pool is topped up at random."""
        wanted = self.settings.negatives_per_query
        first, counts = (x[rows][:, None] for x in self.negatives)
        drawn = random.integers(0, self.total, (len(rows), wanted))
        if len(self.pool) == 0:
            return drawn
        index = first + (epoch * wanted + np.arange(wanted)) % np.maximum(counts, 1)
        return np.where(np.arange(wanted) < counts, self.pool[np.minimum(index, len(self.pool) - 1)], drawn)
