"""Negatives out of hundreds of millions of training triples: a few of each query, drawn at random in one pass.

A query orders all passages by a permutation of the 32-bit numbers that its id picks, and keeps the first of its
negatives in that order. So neither the order of the rows nor how often one comes says which are kept. A query's row
and a passage's place in its order are one 64-bit number: sorting, dropping repeats and keeping the first are work on
one array.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dewpoint.errors import UserError

BLOCK = 2**22  # bytes read at once
PENDING = 2**23  # pairs gathered before the best of them are picked
DIGITS = 8  # of a query's id
COLUMNS = ["query", "positive", "negative"]
MULTIPLIERS = (np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35))  # MurmurHash3's finaliser
INVERSES = tuple(np.uint32(pow(int(number), -1, 2**32)) for number in MULTIPLIERS)


def sample(path: Path, queries: list[str], kept: int) -> tuple[np.ndarray, np.ndarray]:
    """(query rows, negatives' ids) of at most `kept` negatives of each query, by query, in the order they are drawn."""
    for id in queries:
        if not (id.isdecimal() and len(id) <= DIGITS):
            raise UserError(f"{path}: has queries by numbers of up to {DIGITS} digits, but there is a query '{id}'")
    numbers = np.array(queries, np.uint32)
    keys, rows = scramble(numbers), np.full(int(numbers.max()) + 1, -1, np.int32)
    rows[numbers] = np.arange(len(numbers))
    bounds = np.full(len(queries), 2**32 - 1, np.uint32)  # the last place that is still of use, of each query
    held, pending, waiting = np.zeros(0, np.uint64), [], 0
    for query, negative in _blocks(path):
        row = rows[np.minimum(query, len(rows) - 1)]
        asked = (query < len(rows)) & (row >= 0)
        row, negative = row[asked], negative[asked]
        place = scramble(negative ^ keys[row])
        near = place <= bounds[row]
        pending.append(first((row[near].astype(np.uint64) << np.uint64(32)) | place[near], kept))
        waiting += len(pending[-1])
        if waiting > max(PENDING, len(held)):
            held, pending, waiting = first(np.concatenate([held, *pending]), kept), [], 0
            full = _full(held, kept)
            bounds[full >> np.uint64(32)] = full.astype(np.uint32)
    held = first(np.concatenate([held, *pending]), kept)
    row = (held >> np.uint64(32)).astype(np.int64)
    return row, (unscramble(held.astype(np.uint32)) ^ keys[row]).astype(np.int64)


def first(pairs: np.ndarray, kept: int) -> np.ndarray:
    """Of each query's pairs the first `kept`, sorted, each once."""
    pairs = np.sort(pairs)
    pairs = pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])[: len(pairs)]]
    query = pairs >> np.uint64(32)
    return pairs[np.concatenate([np.ones(min(kept, len(pairs)), bool), query[kept:] != query[:-kept]])]


def _full(pairs: np.ndarray, kept: int) -> np.ndarray:
    """The last pair of each query that has `kept`."""
    query = pairs >> np.uint64(32)
    return pairs[kept - 1 :][query[kept - 1 :] == query[: max(len(query) - kept + 1, 0)]]


def scramble(numbers: np.ndarray) -> np.ndarray:
    """A permutation of the 32-bit numbers."""
    numbers = numbers ^ (numbers >> np.uint32(16))
    numbers = numbers * MULTIPLIERS[0]
    numbers ^= numbers >> np.uint32(13)
    numbers *= MULTIPLIERS[1]
    return numbers ^ (numbers >> np.uint32(16))


def unscramble(numbers: np.ndarray) -> np.ndarray:
    """What was scrambled."""
    numbers = (numbers ^ (numbers >> np.uint32(16))) * INVERSES[1]
    numbers ^= (numbers >> np.uint32(13)) ^ (numbers >> np.uint32(26))
    numbers *= INVERSES[0]
    return numbers ^ (numbers >> np.uint32(16))


def _blocks(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Query and negative ids of rows (query, positive, negative) with tabs, plain or compressed."""
    import pyarrow as pa
    from pyarrow import csv

    read = csv.ReadOptions(column_names=COLUMNS, block_size=BLOCK, use_threads=False)
    parse = csv.ParseOptions(delimiter="\t", quote_char=False)
    types = dict.fromkeys(COLUMNS, pa.uint32())
    convert = csv.ConvertOptions(column_types=types, include_columns=["query", "negative"], null_values=[])
    try:
        with pa.input_stream(str(path)) as stream, csv.open_csv(stream, read, parse, convert) as batches:
            for batch in batches:
                yield batch["query"].to_numpy(), batch["negative"].to_numpy()
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not lines of query, positive, negative ({str(error).splitlines()[0]})") from None
