"""The inner loop of the edit distance, compiled at its first use."""

from contextlib import suppress

import numpy as np
from numba import njit


@njit(nogil=True)
def edits(words, starts, first, second):
    """The Levenshtein distance of each pair of texts; text t has the words from starts[t] on.

    A row of the usual matrix at a time: above[b] is the distance of what was read of one to the first b of the other.
    """
    found = np.empty(len(first), np.int32)
    above = np.empty(1 + np.max(starts[1:] - starts[:-1]), np.int32)
    for pair in range(len(first)):
        one = words[starts[first[pair]] : starts[first[pair] + 1]]
        other = words[starts[second[pair]] : starts[second[pair] + 1]]
        for b in range(len(other) + 1):
            above[b] = b
        for a in range(len(one)):
            corner, above[0] = above[0], a + 1
            for b in range(len(other)):
                replaced = corner + (one[a] != other[b])
                corner = above[b + 1]
                above[b + 1] = min(replaced, corner + 1, above[b] + 1)
        found[pair] = above[len(other)]
    return found


with suppress(RuntimeError):  # no folder can be written to, so each process compiles
    edits.enable_caching()
