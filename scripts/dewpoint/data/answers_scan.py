"""The inner loops of the search for answers, compiled at their first use."""

from contextlib import suppress

import numpy as np
from numba import njit

GAP, LETTER, SYMBOL = 0, 1, 2  # what a character is: between words, a part of one, or one by itself
SLOT = 12  # bits
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True)
def _character(data, at):
    """(the character at a place in UTF-8, the place of the next)."""
    code = np.int64(data[at])
    if code < 0x80:
        return code, at + 1
    if code < 0xE0:
        return (code & 0x1F) << 6 | data[at + 1] & 0x3F, at + 2
    if code < 0xF0:
        return (code & 0x0F) << 12 | (data[at + 1] & 0x3F) << 6 | data[at + 2] & 0x3F, at + 3
    return (code & 0x07) << 18 | (data[at + 1] & 0x3F) << 12 | (data[at + 2] & 0x3F) << 6 | data[at + 3] & 0x3F, at + 4


@njit(nogil=True)
def with_any(data, offsets, wanted):
    """Which texts have one of the `wanted` characters, none of which is ASCII's."""
    found = np.zeros(len(offsets) - 1, np.bool_)
    for text in range(len(found)):
        at, last = np.int64(offsets[text]), offsets[text + 1]
        while at < last and not found[text]:
            if data[at] < 0x80:
                at += 1
            else:
                code, at = _character(data, at)
                found[text] = wanted[code]
    return found


@njit(nogil=True)
def _divide(data, first, last, kinds, small, marks, words):
    """Write the hashes of the words in a piece of UTF-8 to `words`, which has room to spare; how many there are."""
    count, at = 0, np.int64(first)
    word, inside = np.uint64(0), False
    while at < last:
        code, at = _character(data, at)
        mark = marks[code] if code >= 0x80 else np.uint32(0)
        code = np.int64(small[code])
        kind = kinds[code]
        letter = kind == LETTER
        words[count] = word
        count += inside and not letter  # counted without an `if`, which would be mispredicted
        word = (word * FACTOR + np.uint64(code)) * np.uint64(letter)
        if mark:
            word = word * FACTOR + np.uint64(mark)
        words[count] = ~np.uint64(code)
        count += kind == SYMBOL
        inside = letter
    words[count] = word
    return count + inside


@njit(nogil=True)
def divided(data, offsets, kinds, small, marks):
    """(hashes of all texts' words, where each text's begin)."""
    words, starts = np.empty(len(data) + 2, np.uint64), np.zeros(len(offsets), np.int64)
    for text in range(len(offsets) - 1):
        begin = starts[text]
        count = _divide(data, offsets[text], offsets[text + 1], kinds, small, marks, words[begin:])
        starts[text + 1] = begin + count
    return words[: starts[-1]], starts


@njit(nogil=True)
def scan(data, offsets, kinds, small, marks, bounds, queries, answers, starts, wanted, found):
    """Which texts contain, in a row, the words of an answer of a query.

    Text t is paired with `queries` from bounds[t] on; query q has the answers from answers[q] on; answer a consists of
    the words `wanted` from starts[a] on, and is in no text if it has none.
    """
    words = np.empty(np.max(offsets[1:] - offsets[:-1]) + 2, np.uint64)
    last = np.full(1 << SLOT, -1)  # by a word's first bits, the last text that has such a word: few need be searched
    for text in range(len(offsets) - 1):
        count = _divide(data, offsets[text], offsets[text + 1], kinds, small, marks, words)
        for at in range(count):
            last[words[at] >> np.uint64(64 - SLOT)] = text
        for pair in range(bounds[text], bounds[text + 1]):
            query = queries[pair]
            for answer in range(answers[query], answers[query + 1]):
                first, end = starts[answer], starts[answer + 1]
                likely = first < end and last[wanted[first] >> np.uint64(64 - SLOT)] == text
                if likely and _contains(words[:count], wanted[first:end]):
                    found[pair] = True
                    break


@njit(nogil=True)
def _contains(words, part):
    for at in range(len(words) - len(part) + 1):
        if words[at] == part[0]:
            same = 1
            while same < len(part) and words[at + same] == part[same]:
                same += 1
            if same == len(part):
                return True
    return False


with suppress(RuntimeError):  # no folder can be written to, so each process compiles
    for compiled in (with_any, divided, scan):
        compiled.enable_caching()
