"""Streams: `batch(step)` is a function of the seed and the step, so there is nothing to replay on resume."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dewpoint.data.lots import rng
from dewpoint.data.tokens import Ragged, Slices, ragged_range
from dewpoint.errors import UserError

# what a random generator is for
PACKING = 0
SPANS = 1
INSTANCES = 2
BATCH = 3
HELD_OUT = 4
QUERIES = 5
PROXY = 6
CLUSTERS = 7
PAIRS = 8
SENTENCE = 9
KEPT = 10
SHORT = 0.1  # share of the blocks that aim at a random shorter length
NOTHING = "nothing to train on: every text is too short, or no query has a positive"


@dataclass
class Epochs:
    """Rows 0 … count - 1 in a fresh order every epoch, in batches; an epoch's last batch may be short."""

    count: int
    size: int
    seed: int

    def __post_init__(self):
        if not self.count:
            raise UserError(NOTHING)
        self.steps = -(-self.count // self.size)
        self.order = lru_cache(maxsize=1)(lambda epoch: rng(self.seed, INSTANCES, epoch).permutation(self.count))

    def rows(self, step: int) -> tuple[int, np.ndarray]:
        """(epoch, rows of the batch) at a step."""
        epoch, index = divmod(step, self.steps)
        return epoch, self.order(epoch)[index * self.size : (index + 1) * self.size]


@dataclass
class Documents:
    """What pre-training reads: documents as tokens, and where sentences start among all tokens."""

    tokens: Ragged
    sentences: np.ndarray

    def split(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """(documents to train on, documents held out), picked at random, for every model and seed the same."""
        held = rng(HELD_OUT).random(len(self.tokens)) < share
        return np.flatnonzero(~held), np.flatnonzero(held)


def join(passages: Ragged, sentences: np.ndarray, unit: np.ndarray | None) -> Documents:
    """Passages joined by document, in passage order; each passage for itself when `unit` is None.

    Nothing is copied when the passages of a document lie together, as sources write them.
    """
    if unit is None:
        return Documents(passages, sentences)
    borders = np.flatnonzero(np.diff(unit)) + 1
    if len(borders) < unit.max(initial=0) + 1:
        return Documents(Ragged(passages.values, passages.offsets[np.r_[0, borders, len(unit)]]), sentences)
    order = np.argsort(unit, kind="stable")
    row, within = ragged_range(passages.lengths[order])
    starts = np.zeros(len(unit), np.int64)
    starts[order] = np.cumsum(passages.lengths[order]) - passages.lengths[order]
    holder = np.searchsorted(passages.offsets, sentences, "right") - 1
    totals = np.bincount(unit, weights=passages.lengths).astype(np.int64)
    return Documents(
        Ragged(passages.values[passages.offsets[order][row] + within], np.concatenate([[0], np.cumsum(totals)])),
        np.sort(sentences - passages.offsets[holder] + starts[holder]),
    )


class Blocks:
    """Documents as blocks of whole sentences for language modelling, packed afresh every epoch.

    Every token is in one block an epoch. A block takes the sentences that fit; one in ten aims at a random shorter
    length, so that borders fall elsewhere each time; a sentence that is too long for a block is cut.
    """

    ROWS = 1  # that an instance makes

    def __init__(self, documents: Documents, chosen: np.ndarray, length: int, size: int, seed: int):
        self.documents, self.room, self.size, self.seed = documents, length - 2, size, seed
        offsets = documents.tokens.offsets
        self.chosen = chosen[offsets[chosen] < offsets[chosen + 1]]
        if not len(self.chosen):
            raise UserError(NOTHING)
        self.epoch = lru_cache(maxsize=1)(self._epoch)
        self.first = [0]  # the step that each epoch begins with, as far as is known

    def batch(self, step: int) -> list[Slices]:
        while step >= self.first[-1]:
            starts, _ = self.epoch(len(self.first) - 1)
            self.first.append(self.first[-1] - (-len(starts) // self.size))
        epoch = bisect_right(self.first, step) - 1
        index = step - self.first[epoch]
        starts, counts = (part[index * self.size : (index + 1) * self.size] for part in self.epoch(epoch))
        return [Slices(self.documents.tokens.values, starts, counts)]

    def _epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """(start, number of tokens) of all blocks of an epoch in its order; documents are packed side by side."""
        random, sentences = rng(self.seed, PACKING, epoch), self.documents.sentences
        at, end = (self.documents.tokens.offsets[self.chosen + i].astype(np.int64) for i in (0, 1))
        starts, counts = [], []
        while len(at):
            short = random.random(len(at)) < SHORT
            reach = np.minimum(at + np.where(short, random.integers(1, self.room + 1, len(at)), self.room), end)
            border = sentences[np.searchsorted(sentences, reach, "right") - 1]
            stop = np.where((reach == end) | (border <= at), reach, border)
            starts.append(at)
            counts.append(stop - at)
            left = stop < end
            at, end = stop[left], end[left]
        order = random.permutation(sum(map(len, starts)))
        return np.concatenate(starts)[order], np.concatenate(counts)[order]


class SpanPairs:
    """Two random spans of each of a batch's documents that never overlap; rows 2i and 2i + 1 are siblings."""

    ROWS = 2
    MIN_SPAN = 8

    def __init__(self, documents: Documents, chosen: np.ndarray, length: int, size: int, seed: int):
        self.tokens, self.room, self.seed = documents.tokens, length - 2, seed
        lengths = self.tokens.offsets[chosen + 1] - self.tokens.offsets[chosen]
        self.document = chosen[lengths >= 2 * self.MIN_SPAN]
        self.epochs = Epochs(len(self.document), size, seed)

    def batch(self, step: int) -> list[Slices]:
        _, rows = self.epochs.rows(step)
        document, random = self.document[rows], rng(self.seed, SPANS, step)
        first = self.tokens.offsets[document]
        lengths = self.tokens.offsets[document + 1] - first
        counts = np.minimum(lengths // 2, self.room)
        early, late = np.sort(random.integers(0, (lengths - 2 * counts + 1)[:, None], (len(rows), 2)), axis=1).T
        starts = random.permuted(first[:, None] + np.stack([early, late + counts], axis=1), axis=1)
        return [Slices(self.tokens.values, starts.ravel(), counts.repeat(2))]
