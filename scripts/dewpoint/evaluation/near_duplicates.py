"""Texts that are nearly the same by their words: the Jaccard coefficient of their sets of words in a row.

Candidates are those with a band of MinHash values in common; the coefficient of each is then computed exactly. Texts
are streamed twice; held are a few bytes of each, and the sets of candidates.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dewpoint.data.dataset import Dataset
from dewpoint.evaluation.overlap import normalised
from dewpoint.evaluation.shingles_scan import jaccards, shingles, signatures, within
from dewpoint.progress import Progress

MISSED = 1e-3  # chance that a pair which is just alike enough has no band in common
HASHES = 128  # MinHash values of a text at most
MOST = 200  # texts of one band that a text is compared with


@dataclass
class Near:
    """What is near to what. Texts of the same words are a class, whose first stands for it in all pairs but with its
    own."""

    of: np.ndarray  # each text's class, -1 of those without a word
    first: np.ndarray  # pairs, the first before the second
    second: np.ndarray
    jaccard: np.ndarray
    crowded: int  # bands with more texts than are all compared


def near(data: Dataset, tables: list[str], size: int, jaccard: float, seed: int) -> Near:
    """Among the texts of all tables, numbered through them."""
    rows, bands = plan(jaccard)
    random = np.random.default_rng(seed)
    factors, addends = random.integers(0, 2**64, (2, rows * bands), np.uint64, endpoint=False)
    factors |= np.uint64(1)
    made = [signatures(*of, factors, addends, rows) for of in _shingles(data, tables, size, "texts hashed")]
    whole, keys = np.concatenate([one for one, _ in made]), np.concatenate([of for _, of in made], axis=1)
    del made
    chosen, of = _classes(whole)
    keys, found, crowded = keys[:, chosen], np.zeros(0, np.int64), 0
    for band in keys:
        one, other, many = _of_one_key(band)
        found, crowded = np.union1d(found, one * len(chosen) + other), crowded + many
    first, second = np.divmod(found, max(1, len(chosen)))
    coefficient = _exact(data, tables, size, chosen, first, second)
    kept = coefficient >= jaccard
    first, second = chosen[first[kept]], chosen[second[kept]]
    again = np.flatnonzero(of >= 0)
    again = again[chosen[of[again]] != again]  # the same as an earlier text
    pairs = np.concatenate([first, chosen[of[again]]]), np.concatenate([second, again])
    coefficient = np.concatenate([coefficient[kept], np.ones(len(again))])
    order = np.lexsort((pairs[1], pairs[0]))
    return Near(of, pairs[0][order], pairs[1][order], coefficient[order], int(crowded))


def plan(jaccard: float) -> tuple[int, int]:
    """(values of a band, bands): as many values as can be, for fewer candidates, that hardly any pair is missed."""
    for rows in range(10, 1, -1):
        bands = math.ceil(math.log(MISSED) / math.log1p(-min(jaccard**rows, 1 - MISSED)))
        if rows * bands <= HASHES:
            return rows, bands
    return 1, HASHES


def counts(found: Near, starts: np.ndarray) -> np.ndarray:
    """int64 [parts, parts]: texts of one part that something of the other, or of itself, is near to.

    Part p has the texts from starts[p] to starts[p + 1] - 1.
    """
    parts = len(starts) - 1
    part = np.searchsorted(starts, np.arange(len(found.of)), "right") - 1
    known = np.flatnonzero(found.of >= 0)
    of, part = found.of[known], part[known]
    size = np.zeros((int(of.max(initial=-1)) + 1, parts), np.int64)
    np.add.at(size, (of, part), 1)
    beside = np.zeros(size.shape, bool)
    for one, other in ((found.first, found.second), (found.second, found.first)):
        apart = found.of[one] != found.of[other]
        np.logical_or.at(beside, found.of[one][apart], size[found.of[other][apart]] > 0)
    has = beside[of] | (size[of] - (part[:, None] == np.arange(parts)) > 0)
    return np.array([has[part == one].sum(0) for one in range(parts)], np.int64).reshape(parts, parts)


def _shingles(
    data: Dataset, tables: list[str], size: int, what: str, wanted: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(hashes, where each text's begin) of the texts, a batch at a time; of the wanted ones alone, which rise."""
    progress, start = Progress(sum(map(data.rows, tables)), what, rate="texts"), 0
    for table in tables:
        for batch in data.batches(table, ["text"]):
            texts, end = batch["text"], start + batch.num_rows
            if wanted is not None:
                texts = texts.take(pa.array(wanted[slice(*np.searchsorted(wanted, [start, end]))] - start))
            if len(texts):
                yield shingles(*_bytes(normalised(texts, "words")), size)
            progress.add(batch.num_rows)
            start = end


def _bytes(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """(all bytes, where each text's begin, and the last one's end)."""
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8), starts


def _classes(whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(each class's first text, in order; each text's class), by what stands for their sets; 0 is the empty one."""
    some = np.flatnonzero(whole)
    _, first, of = np.unique(whole[some], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    classes = np.full(len(whole), -1)
    classes[some] = rank[of]
    return some[np.sort(first)], classes


def _of_one_key(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """(first, second, how many keys have more texts than are all compared): texts of the same key, in rising order."""
    order = np.argsort(keys, kind="stable")
    borders = np.flatnonzero(np.diff(keys[order])) + 1
    begins, ends = np.concatenate([[0], borders]), np.concatenate([borders, [len(keys)]])
    several = ends - begins > 1
    begins, ends = begins[several], ends[several]
    return *within(order, begins, ends, MOST), int((ends - begins > MOST + 1).sum())


def _exact(
    data: Dataset, tables: list[str], size: int, chosen: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """The coefficients of pairs of classes."""
    if not len(first):
        return np.zeros(0)
    classes = np.unique([first, second])
    parts = list(_shingles(data, tables, size, "texts compared", chosen[classes]))
    lengths = np.concatenate([np.diff(offsets) for _, offsets in parts])
    offsets, hashes = np.concatenate([[0], np.cumsum(lengths)]), np.concatenate([hashes for hashes, _ in parts])
    return jaccards(hashes, offsets, np.searchsorted(classes, first), np.searchsorted(classes, second))
