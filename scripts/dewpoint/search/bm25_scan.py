"""The inner loop of BM25's search, compiled at its first use."""

from contextlib import suppress

import numpy as np
from numba import njit

ROUNDING = 0.999  # single precision stays well within it
NONE = np.iinfo(np.int64).max


@njit(nogil=True)
def scan(starts, passages, scores, size, bounds, terms, counts, weights, depth, block):
    """Each query's keys of its `depth` best passages in any order, then NONE; the better passage has the smaller key.

    A key is the passage's row less its score's bits << 32. A query's terms are those between two `bounds`, the heaviest
    first: a weight is the most that the term adds to a score. Passages are scored block by block. Terms that together
    weigh less than what `depth` passages have already bring no other in: they count only where a heavier one does.
    """
    best = np.full((len(bounds) - 1, depth), NONE)
    total, found = np.zeros(block, np.float32), np.empty(block, np.int32)
    kept, least = np.empty(2 * depth + block, np.int64), np.zeros(1, np.float32)
    for query in range(len(bounds) - 1):
        own = slice(bounds[query], bounds[query + 1])
        at, ends, times = starts[terms[own]], starts[terms[own] + 1], counts[own]
        rest = np.cumsum(weights[own][::-1])[::-1]
        least[0], some = 0, 0
        for first in range(0, size, block):
            touched = 0
            for term in range(len(at)):
                begin, count = at[term], times[term]
                at[term] += np.searchsorted(passages[begin : ends[term]], first + block)
                if rest[term] >= ROUNDING * least[0]:
                    for posting in range(begin, at[term]):
                        row = passages[posting] - first
                        found[touched] = row
                        touched += total[row] == 0
                        total[row] += count * scores[posting]
                else:
                    for posting in range(begin, at[term]):
                        row = passages[posting] - first
                        total[row] += (total[row] > 0) * (count * scores[posting])  # an `if` is mispredicted
            for row in found[:touched]:
                kept[some] = first + row - (np.int64(total.view(np.int32)[row]) << 32)
                some += total[row] >= least[0]
                total[row] = 0
            if some >= 2 * depth:
                kept[:depth] = np.partition(kept[:some], depth - 1)[:depth]
                least.view(np.int32)[0] = -(kept[depth - 1] >> 32)
                some = depth
        if some > depth:
            kept[:depth] = np.partition(kept[:some], depth - 1)[:depth]
        best[query, :some] = kept[: min(some, depth)]
    return best


with suppress(RuntimeError):  # no folder can be written to, so each process compiles
    scan.enable_caching()
