"""Sets of evidence: what KILT's measures of a run are computed from, per query.

A set is what has to be found together, such as the two pages that a question of HotpotQA takes; any of a query's sets
will do. Evidence counts as a whole document or as a paragraph, and so does what a run found: each is where its first
passage is.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dewpoint.data.dataset import UNNAMED, Dataset
from dewpoint.evaluation.registry import entry

NOWHERE = 2**40  # keys of paragraphs that are not named lie as far below those of their documents


@dataclass
class Evidence:
    """What is in the sets of a split, each once in a set: by query, set and key. A key below 0 is never found."""

    query: np.ndarray
    set: np.ndarray
    key: np.ndarray
    part_of: np.ndarray  # the key of each passage

    @classmethod
    def of(cls, dataset: Dataset, split: str, pages: bool) -> "Evidence":
        query, number, document, paragraph = dataset.provenance(split)
        part_of = dataset.documents() if pages else dataset.paragraphs()
        if pages:
            key = np.where(document < 0, document, part_of[np.maximum(document, 0)])
        else:
            key = np.where(paragraph == UNNAMED, document.astype(np.int64) - NOWHERE, paragraph)
        rows = np.unique(np.stack([query, number, key], axis=1).astype(np.int64), axis=0)
        return cls(rows[:, 0], rows[:, 1], rows[:, 2], part_of)

    @property
    def named(self) -> np.ndarray:
        """What is at least said to be somewhere."""
        return self.key > -NOWHERE // 2


class Sets:
    """Sets of evidence and the ranks of what is in them, 0 where a run has it not."""

    def __init__(self, evidence: Evidence, rank: np.ndarray):
        begins = np.ones(len(rank), bool)
        begins[1:] = (np.diff(evidence.query) != 0) | (np.diff(evidence.set) != 0)
        self.evidence, self.rank = evidence, rank
        self.number = np.cumsum(begins) - 1  # of each evidence's set, counted over all queries
        self.queries, self.of = np.unique(evidence.query[begins], return_inverse=True)  # rows; of each set its query

    def value(self, metric: str) -> np.ndarray:
        """A metric of each of the queries."""
        found, cutoff = entry(metric)
        return found.value(self) if cutoff is None else found.value(self, cutoff)

    def precision(self) -> np.ndarray:
        """Of a set of R the share that is among the first R, of a query's sets the highest; R counts what is named."""
        named = self.evidence.named
        sizes = self._count(named)
        seen = named & (self.rank > 0) & (self.rank <= sizes[self.number])
        best = np.zeros(len(self.queries))
        np.maximum.at(best, self.of, self._count(seen) / np.maximum(sizes, 1))
        return best

    def recall(self, k: int) -> np.ndarray:
        """The share of a query's sets, equal ones counted once, that are whole at place k."""
        seen = (self.places > 0) & (self.places <= k)
        return np.bincount(self.of[seen], minlength=len(self.queries)) / np.bincount(self.of[self.distinct])

    @cached_property
    def distinct(self) -> np.ndarray:
        """Which sets have no equal one of the same query before them."""
        known, distinct = set(), np.zeros(len(self.of), bool)
        bounds = [*np.flatnonzero(np.diff(self.number, prepend=-1)), len(self.number)]
        for number, query in enumerate(self.of.tolist()):
            content = query, self.evidence.key[bounds[number] : bounds[number + 1]].tobytes()
            distinct[number] = content not in known
            known.add(content)
        return distinct

    @cached_property
    def places(self) -> np.ndarray:
        """Where in a ranking each set is whole, counted from 1; 0 for those that never are, and for repeated ones.

        In it whatever is evidence gives way to its sets: each stands once, where the last of it was found, and all else
        where it is. Sets that end together stand in their order.
        """
        last = np.zeros(len(self.of), np.int64)
        np.maximum.at(last, self.number, self.rank)
        found = self.distinct & (last > 0)
        whole = found & (self._count(self.rank > 0) == self._count(np.ones(len(self.rank), bool)))
        bound = 2 + int(self.rank.max(initial=0))
        ranks = np.unique((self.of[self.number] * bound + self.rank)[self.rank > 0])  # evidence found, each once
        before = np.searchsorted(ranks, self.of * bound + last) - np.searchsorted(ranks, self.of * bound)
        order = np.flatnonzero(found)[np.lexsort([last[found], self.of[found]])]
        place = np.zeros(len(self.of), np.int64)
        place[order] = np.arange(len(order)) - np.searchsorted(self.of[order], self.of[order])
        return np.where(whole, last - before + place, 0)

    def _count(self, which: np.ndarray) -> np.ndarray:
        """Of each set's evidence."""
        return np.bincount(self.number[which], minlength=len(self.of))
