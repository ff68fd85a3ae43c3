"""Neighbourhood recall: how much of what one ranker finds first, another finds among its first."""

import numpy as np

from dewpoint.data.runs import NOTHING, Run, find, pair_numbers


def shared(first: Run, second: Run, top: list[int], depths: list[int]) -> np.ndarray:
    """int64 [top, depths]: how many (query, passage) are in the second's first n and in the first's first k."""
    best, ranks = first.at(first.rank <= max(depths)), second.rank
    wanted, ranks = second.at(ranks <= max(top)), ranks[ranks <= max(top)]
    if not len(best.query) or not len(wanted.query):
        best, wanted, ranks = NOTHING, NOTHING, ranks[:0]
    numbers, sought = pair_numbers((best.query, best.passage), (wanted.query, wanted.passage))
    order = np.argsort(numbers)
    rows, at = find(numbers[order], sought)
    found = best.rank[order][at]
    return np.array([[int(((ranks[rows] <= n) & (found <= k)).sum()) for k in depths] for n in top], np.int64)
