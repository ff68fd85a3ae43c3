"""Fusion: several rankers' runs made one."""

import numpy as np

from dewpoint.data.runs import Run, ranked


def reciprocal_rank(runs: list[Run], weights: list[float], depth: int, k: int) -> Run:
    """score(q, p) = Σ_r w_r / (k + rank_r(q, p)), over the rankers that found p."""
    return _sum([(run, weight / (k + run.rank)) for run, weight in zip(runs, weights, strict=True)], depth)


def weighted_score(runs: list[Run], weights: list[float], depth: int) -> Run:
    """score(q, p) = Σ_r w_r · (s_r - min) / (max - min), min and max over the query's run; nothing where not found."""
    return _sum([(run, weight * _min_max(run)) for run, weight in zip(runs, weights, strict=True)], depth)


def _min_max(run: Run) -> np.ndarray:
    starts = np.flatnonzero(run.rank == 1)
    counts = np.diff([*starts, len(run.query)])
    low, high = (f.reduceat(run.score, starts).repeat(counts) for f in (np.minimum, np.maximum))
    return (run.score - low) / np.maximum(high - low, np.finfo(np.float32).tiny)


def _sum(parts: list[tuple[Run, np.ndarray]], depth: int) -> Run:
    query, passage = (np.concatenate([getattr(run, name) for run, _ in parts]) for name in ("query", "passage"))
    score = np.concatenate([score for _, score in parts]).astype(np.float64)
    bound = 1 + int(passage.max(initial=0))
    pair, where = np.unique(query.astype(np.int64) * bound + passage, return_inverse=True)
    total = np.bincount(where, weights=score, minlength=len(pair)).astype(np.float32)
    return ranked(pair // bound, pair % bound, total, depth)
