"""Token sequences for tests, and their slow counterparts in lists."""

import numpy as np

from dewpoint.data.tokens import Ragged

SPECIAL = {"pad": 0, "cls": 101, "sep": 102, "mask": 103}


def ragged(lists: list[list[int]]) -> Ragged:
    values = np.array([token for one in lists for token in one], np.uint16)
    return Ragged(values, np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64))


def numbered(lengths: list[int], first: int = 1000) -> Ragged:
    """Sequences of these lengths in which every token is one of a kind."""
    return Ragged(np.arange(first, first + sum(lengths)), np.concatenate([[0], np.cumsum(lengths)]))


def padded(rows: list[list[int]]) -> list[list[int]]:
    longest = max(map(len, rows), default=2)
    return [row + [SPECIAL["pad"]] * (longest - len(row)) for row in rows]
