"""Fusion: several rankers' runs made one, score(q, p) = Σ_r w_r · share_r(q, p) over the rankers that found p."""

from dataclasses import dataclass

import numpy as np

from dewpoint.data.runs import Run, ranked


@dataclass
class Candidates:
    """What several rankers found for some queries, sorted by query and passage, and each ranker's shares."""

    query: np.ndarray
    passage: np.ndarray
    shares: np.ndarray  # rankers × candidates; 0 where not found

    def scores(self, weights: list[float]) -> np.ndarray:
        """In float32, as a run has them; summed in the rankers' order, which makes the digits always the same."""
        total = np.zeros(len(self.query))
        for weight, share in zip(weights, self.shares, strict=True):
            total += weight * share
        return total.astype(np.float32)


def fuse(runs: list[Run], weights: list[float], settings) -> Run:
    found = candidates(runs, settings)
    return ranked(found.query, found.passage, found.scores(weights), settings.depth)


def candidates(runs: list[Run], settings) -> Candidates:
    """Every passage that any of the runs has for a query, with what each run would add to its score."""
    query, passage = (np.concatenate([getattr(run, name) for run in runs]) for name in ("query", "passage"))
    bound = 1 + int(passage.max(initial=0))
    pair, where = np.unique(query.astype(np.int64) * bound + passage, return_inverse=True)
    shares, first = np.zeros((len(runs), len(pair))), 0
    for row, run in zip(shares, runs, strict=True):
        row[where[first : first + len(run.query)]] = share(run, settings)
        first += len(run.query)
    return Candidates(pair // bound, pair % bound, shares)


def share(run: Run, settings) -> np.ndarray:
    """What each row of a run adds, before its weight."""
    if settings.method == "reciprocal_rank":
        return 1 / (settings.k + run.rank)
    return scaled(run, settings.scale)


def scaled(run: Run, scale: str) -> np.ndarray:
    """(score - lowest) / spread over each query's run, 0 where all are equal; spread is max - min, or for z σ.

    For z this is (score - mean) / σ less the query's lowest value of it. A passage that was not found thus counts as
    the lowest that was, under both scales; less or not, a query's passages keep their order and distances.
    """
    starts = np.flatnonzero(run.rank == 1)
    counts = np.diff([*starts, len(run.query)])
    score = run.score.astype(np.float64)

    def each(function: np.ufunc, values: np.ndarray) -> np.ndarray:
        """A query's sum, minimum or maximum, in every row of the query."""
        return function.reduceat(values, starts).repeat(counts)

    low = each(np.minimum, score)
    if scale == "z":
        rows = counts.repeat(counts)
        spread = np.sqrt(each(np.add, (score - each(np.add, score) / rows) ** 2) / rows)
    else:
        spread = each(np.maximum, score) - low
    return (score - low) / np.where(spread > 0, spread, 1)
