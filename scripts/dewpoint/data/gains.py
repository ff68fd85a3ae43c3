"""nDCG, of what is judged and where it was found; rank 0 is not found."""

import numpy as np


def normalised_gain(query: np.ndarray, grade: np.ndarray, rank: np.ndarray, queries: int, k: int) -> np.ndarray:
    """Σ grade / log2(rank + 1) over the first k, as a share of what the best order of all that is judged would give.

    Of the queries 0 … queries - 1; 0 where nothing can be gained.
    """
    order = np.lexsort([-grade, query])
    ideal = np.arange(len(order)) - np.searchsorted(query[order], query[order]) + 1
    best = _gain(query[order], grade[order], ideal, queries, k)
    best[best <= 0] = 1
    return _gain(query, grade, rank, queries, k) / best


def _gain(query: np.ndarray, grade: np.ndarray, rank: np.ndarray, queries: int, k: int) -> np.ndarray:
    rows = (rank > 0) & (rank <= k)
    gains = np.maximum(grade[rows], 0) / np.log2(rank[rows] + 1)
    return np.bincount(query[rows], weights=gains, minlength=queries)
