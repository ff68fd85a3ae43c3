"""The inner loops of finding near-duplicates, compiled at their first use."""

from contextlib import suppress

import numpy as np
from numba import njit

GOLDEN, ONE, OTHER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S27, S30, S31, S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
SPACE = 32


@njit(nogil=True)
def mixed(x):
    """SplitMix64's finaliser."""
    x = (x ^ (x >> S30)) * ONE
    x = (x ^ (x >> S27)) * OTHER
    return x ^ (x >> S31)


@njit(nogil=True)
def shingles(data, starts, size):
    """(hashes, where each text's begin): of every `size` words in a row, of a shorter text all; sorted, each once.

    Text t has the bytes from starts[t] on; its words have single spaces between them.
    """
    texts = len(starts) - 1
    offsets = np.zeros(texts + 1, np.int64)
    found = np.empty(starts[texts] - starts[0] + 1, np.uint64)  # no text has more words than letters
    words = np.empty(1 + np.max(starts[1:] - starts[:-1]), np.uint64) if texts else found
    at = 0
    for text in range(texts):
        count, hashed, inside = 0, np.uint64(0), False
        for place in range(starts[text], starts[text + 1]):
            if data[place] == SPACE:
                if inside:
                    words[count] = mixed(hashed)
                    count += 1
                hashed, inside = np.uint64(0), False
            else:
                hashed, inside = (hashed ^ np.uint64(data[place])) * GOLDEN + S31, True
        if inside:
            words[count] = mixed(hashed)
            count += 1
        begin = at
        for first in range(max(1, count - size + 1) if count else 0):
            shingle = GOLDEN
            for word in range(first, min(first + size, count)):
                shingle = mixed(shingle * GOLDEN + words[word])
            found[at] = shingle
            at += 1
        own = np.sort(found[begin:at])
        at = begin
        for place in range(len(own)):
            if place == 0 or own[place] != own[place - 1]:
                found[at] = own[place]
                at += 1
        offsets[text + 1] = at
    return found[:at], offsets


@njit(nogil=True)
def signatures(hashes, offsets, factors, addends, rows):
    """(a key of each text's whole set, uint32 [bands, texts] keys of its bands): of so many smallest values each."""
    texts, count = len(offsets) - 1, len(factors)
    whole, bands = np.zeros(texts, np.uint64), np.empty((count // rows, texts), np.uint32)
    least = np.empty(count, np.uint64)
    for text in range(texts):
        least[:] = np.uint64(0xFFFFFFFFFFFFFFFF)
        for place in range(offsets[text], offsets[text + 1]):
            one = hashes[place]
            whole[text] = mixed(whole[text] * GOLDEN + one)
            for number in range(count):
                value = one * factors[number] + addends[number]
                if value < least[number]:
                    least[number] = value
        for band in range(count // rows):
            key = np.uint64(band)
            for number in range(band * rows, (band + 1) * rows):
                key = mixed(key * GOLDEN + least[number])
            bands[band, text] = np.uint32(key >> S32)
    return whole, bands


@njit(nogil=True)
def within(order, begins, ends, most):
    """(first, second): the texts order[begin] … order[end - 1] of each group, each with the `most` that come next."""
    count = 0
    for group in range(len(begins)):
        for one in range(begins[group], ends[group]):
            count += min(ends[group] - one - 1, most)
    first, second, at = np.empty(count, np.int64), np.empty(count, np.int64), 0
    for group in range(len(begins)):
        for one in range(begins[group], ends[group]):
            for other in range(one + 1, min(ends[group], one + 1 + most)):
                first[at], second[at] = order[one], order[other]
                at += 1
    return first, second


@njit(nogil=True)
def jaccards(hashes, offsets, first, second):
    """Of each pair of texts: what both have of what either has."""
    found = np.empty(len(first), np.float64)
    for pair in range(len(first)):
        one, one_end = offsets[first[pair]], offsets[first[pair] + 1]
        other, other_end = offsets[second[pair]], offsets[second[pair] + 1]
        both, either = 0, (one_end - one) + (other_end - other)
        while one < one_end and other < other_end:
            if hashes[one] == hashes[other]:
                both, one, other = both + 1, one + 1, other + 1
            elif hashes[one] < hashes[other]:
                one += 1
            else:
                other += 1
        found[pair] = both / (either - both)
    return found


with suppress(RuntimeError):  # no folder can be written to, so each process compiles
    for function in (mixed, shingles, signatures, within, jaccards):
        function.enable_caching()
