"""Lots: random numbers that are a function of what they are for, not of who draws them or when.

Each row of a batch has a key, made of the seed, the step and the row's number in the whole batch. All that is random
about a row (its masked words, its dropout) comes from its key, so it is the same in whatever chunk, on whatever device
the row is worked on.
"""

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ROUNDS = 6  # of a permutation


def rng(seed: int, *purpose: int) -> np.random.Generator:
    """A generator for what concerns a whole epoch or batch."""
    return np.random.default_rng([seed, *purpose])


def keys(seed: int, step: int, rows: np.ndarray) -> np.ndarray:
    """A 64-bit key for each row."""
    base = _mix(np.array([seed], np.uint64) * GOLDEN + np.uint64(step))
    return _mix(base + rows.astype(np.uint64) * GOLDEN)


def uniform(keys: np.ndarray, columns: int, purpose: int) -> np.ndarray:
    """Numbers in [0, 1), a row for each key; column c is the same however many there are."""
    column = np.arange(1, columns + 1, dtype=np.uint64) + np.uint64(purpose << 32)
    return (_mix(keys[:, None] + column * GOLDEN) >> np.uint64(11)) * 2.0**-53


def permuted(at: np.ndarray, count: int, seed: int, *purpose: int) -> np.ndarray:
    """Where a permutation of 0 … count - 1 that is a function sends each of `at`; nothing of the length is held.

    A Feistel network shuffles the next power of four; what it sends beyond `count` is sent on until it comes back.
    """
    half = np.uint64(max(1, -(-(count - 1).bit_length() // 2)))
    low, rounds = (np.uint64(1) << half) - np.uint64(1), keys(seed, 0, np.arange(ROUNDS))
    for number in purpose:
        rounds = keys(number, 0, rounds)
    found = np.asarray(at).astype(np.uint64)
    todo = np.arange(len(found))
    while len(todo):
        left, right = found[todo] >> half, found[todo] & low
        for key in rounds:
            left, right = right, left ^ (_mix(right * GOLDEN + key) & low)
        found[todo] = (left << half) | right
        todo = todo[found[todo] >= count]
    return found.astype(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
