"""Batches of queries that lie together: their clusters, drawn anew each step, and the pairs that each query is given.

Everything is a function of seed and step. A batch always has its size: what small clusters cannot give comes from
further ones.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dewpoint.data.lots import rng
from dewpoint.data.streams import CLUSTERS, NOTHING, PAIRS
from dewpoint.errors import UserError

log = logging.getLogger(__name__)


@dataclass
class Clustered:
    """Queries of `together` clusters a batch, about as many of each, none twice; one instance of each query.

    `clusters` says in which cluster each instance's query is. They are drawn all alike, or `by_size`. A query's pairs
    are drawn from `bins` equal ranges of its margins.
    """

    queries: np.ndarray
    clusters: np.ndarray
    size: int
    seed: int
    together: int = 1
    by_size: bool = False
    bins: int = 1

    def __post_init__(self):
        if not len(self.queries):
            raise UserError(NOTHING)
        self.steps = -(-len(self.queries) // self.size)
        self.instances = np.lexsort([self.queries, self.clusters])  # a cluster's lie together, and a query's in it
        asked, self.first, self.counts = np.unique(
            np.stack([self.clusters, self.queries])[:, self.instances], axis=1, return_index=True, return_counts=True
        )
        begins = np.flatnonzero(np.diff(asked[0], prepend=-1))
        self.members = np.split(np.arange(asked.shape[1]), begins[1:])
        self.sizes = np.array([len(members) for members in self.members])
        self.size = min(self.size, asked.shape[1])
        self.together = min(self.together, len(self.members))
        small = int((self.sizes < self.size // self.together).sum())
        log.info(
            "%s clusters of %s to %s training queries; batches are filled up from others where they are among the %s "
            "with less than %s",
            *(f"{n:,}" for n in (len(self.sizes), self.sizes.min(), self.sizes.max(), small)),
            f"{self.size // self.together:,}",
        )

    def rows(self, step: int) -> tuple[int, np.ndarray]:
        """(epoch, instances of the batch) at a step."""
        random = rng(self.seed, CLUSTERS, step)
        queries = np.concatenate([*self._drawn(random)])[: self.size]
        of_query = random.integers(0, self.counts[queries])
        return step // self.steps, self.instances[self.first[queries] + of_query]

    def _drawn(self, random: np.random.Generator) -> Iterator[np.ndarray]:
        """Each drawn cluster's share of the queries, then what further ones have, then what the first have left."""
        order = np.argsort(random.exponential(size=len(self.members)) / (self.sizes if self.by_size else 1))
        each, more = divmod(self.size, self.together)
        found, rest = 0, []
        for place, cluster in enumerate(order):
            if found >= self.size:
                return
            share = each + (place < more) if place < self.together else self.size - found
            members = random.permutation(self.members[cluster])
            found += min(share, len(members))
            rest.append(members[share:])
            yield members[:share]
        yield from rest

    def pick(self, step: int, margins: list[np.ndarray], wanted: int) -> list[tuple[int, list[int]]]:
        """(positive, negatives) of each of a batch's instances, given its teacher's [positives, negatives] margins."""
        random = rng(self.seed, PAIRS, step)
        return [picked(of_query, wanted, self.bins, random) for of_query in margins]


def picked(margins: np.ndarray, wanted: int, bins: int, random: np.random.Generator) -> tuple[int, list[int]]:
    """A positive and at most `wanted` of its negatives: each time a range that is not empty, then a pair in it.

    Pairs without a margin are drawn only where there is no other.
    """
    ranges, negatives = ranges_of(margins, bins), []
    free, positive = ranges >= 0, None
    while len(negatives) < wanted and free.any():
        range_of_pair = _one(np.unique(ranges[free]), random)
        positive, negative = divmod(_one(np.flatnonzero(free & (ranges == range_of_pair)), random), margins.shape[1])
        negatives.append(negative)
        free[:, negative] = False
        free[np.arange(len(free)) != positive] = False  # all are of one positive
    return int(random.integers(len(margins))) if positive is None else positive, negatives


def ranges_of(margins: np.ndarray, bins: int) -> np.ndarray:
    """Which of `bins` equal parts of [least, greatest] each margin is in, the greatest in the last; -1 without one."""
    known = np.isfinite(margins)
    if not known.any():
        return np.zeros(margins.shape, int)
    least, greatest = margins[known].min(), margins[known].max()
    share = (np.where(known, margins, least) - np.float64(least)) / ((np.float64(greatest) - least) or 1)
    return np.where(known, np.minimum((share * bins).astype(int), bins - 1), -1)


def _one(values: np.ndarray, random: np.random.Generator) -> int:
    return int(values[random.integers(len(values))])
