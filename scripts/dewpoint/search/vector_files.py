"""Vectors as NumPy's .npy, for whoever reads no Parquet: written block by block into a file that is memory-mapped."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.errors import UserError
from dewpoint.search.vectors import Vectors

SYNCED = 2**28  # bytes after which what was written need not be in memory any more


def write_npy(vectors: Vectors, path: Path, offsets: Path) -> None:
    """All in row order, in the type that they are stored in; of texts with several the file `offsets`, too.

    Then the vectors of text i are rows offsets[i] to offsets[i + 1].
    """
    rows = vectors.total() if vectors.several else len(vectors)
    if not rows:
        raise UserError(f"{vectors.manifests[0]}: has no vectors to write")
    type = stored_type(vectors.files[0])
    array = np.lib.format.open_memmap(path, "w+", type, (rows, vectors.dimension))
    ends = np.lib.format.open_memmap(offsets, "w+", np.int64, (len(vectors) + 1,)) if vectors.several else None
    first = unsynced = 0
    for text, block, within in _blocks(vectors):
        array[first : first + len(block)] = block
        if ends is not None:
            ends[text : text + len(within)] = first + within
        first, unsynced = first + len(block), unsynced + block.nbytes
        if unsynced > SYNCED:
            array.flush()
            unsynced = 0
    for written in (array, ends):
        if written is not None:
            written.flush()


def stored_type(file: Path) -> np.dtype:
    type = pq.read_schema(file).field(0).type
    while pa.types.is_nested(type):
        type = type.value_type
    return np.dtype(type.to_pandas_dtype())


def write_ids(ids: Iterable[str], path: Path, rows: int) -> None:
    """A line each, in row order."""
    count = 0
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for count, id in enumerate(ids, 1):
            if "\n" in id or "\r" in id:
                raise UserError(f"id {id!r} of row {count - 1:,} has a line break in it; a line of text cannot hold it")
            file.write(f"{id}\n")
    if count != rows:
        raise UserError(f"the dataset has {count:,} texts, the vectors are of {rows:,}; encode it anew")


def _blocks(vectors: Vectors):
    if vectors.several:
        yield from vectors.token_blocks()
    else:
        yield from ((first, block, None) for first, block in vectors.blocks())
