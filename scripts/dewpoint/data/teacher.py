"""A teacher's scores of (query, passage) pairs: those of a run, by query, so that a batch looks them up at once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dewpoint.data.runs import find, query_blocks
from dewpoint.data.tokens import ragged_range

QUERIES = 20_000  # rows of queries read at once
PAIRS = 2**20  # looked up at once


class Teacher:
    """The scores of a run's pairs whose queries are wanted: eight bytes a pair, by query, then by passage."""

    def __init__(self, run: Path, queries: np.ndarray):
        self.run, wanted = run, np.zeros(int(queries.max(initial=-1)) + 1, bool)
        wanted[queries] = True
        counts, passages, scores = np.zeros(len(wanted), np.int64), [], []
        for block in query_blocks(run, QUERIES):
            within = block.query < len(wanted)
            within[within] = wanted[block.query[within]]
            query, passage, score = (part[within] for part in (block.query, block.passage, block.score))
            order = np.lexsort([passage, query])
            counts += np.bincount(query, minlength=len(wanted))
            passages.append(passage[order].astype(np.int32))
            scores.append(score[order].astype(np.float32))
        self.offsets = np.concatenate([[0], np.cumsum(counts)])
        self.passages, self.values = np.concatenate(passages), np.concatenate(scores)
        self.bound = 1 + int(self.passages.max(initial=0))

    def scores(self, query: np.ndarray, passage: np.ndarray) -> np.ndarray:
        """float32 of the shape that both are broadcast to; nan where the run has no such pair."""
        query, passage = np.broadcast_arrays(query, passage)
        asked, which = np.unique(query, return_inverse=True)
        first = self.offsets[asked]
        row, within = ragged_range(self.offsets[asked + 1] - first)
        at = first[row] + within
        known = passage.ravel() < self.bound
        wanted = np.where(known, which.ravel() * self.bound + passage.ravel(), -2)
        rows, found = find(row * self.bound + self.passages[at], wanted)
        scores = np.full(query.size, np.nan, np.float32)
        scores[rows] = self.values[at[found]]
        return scores.reshape(query.shape)

    def lacking(self, query: np.ndarray, passage: np.ndarray) -> np.ndarray:
        """Which of many pairs, sorted by query, have no score."""
        return np.concatenate([np.zeros(0, np.int64), *self._lacking(query, passage)])

    def _lacking(self, query: np.ndarray, passage: np.ndarray) -> Iterator[np.ndarray]:
        for first in range(0, len(query), PAIRS):
            part = slice(first, first + PAIRS)
            yield first + np.flatnonzero(np.isnan(self.scores(query[part], passage[part])))
