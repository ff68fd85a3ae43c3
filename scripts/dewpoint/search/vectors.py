"""Embeddings on disk: the rows of Parquet files, in the order of what they encode, in one file or many.

A text has one vector (column `vector`), or several, such as one a token (column `vectors`, a list of them).
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import member, read_manifest
from dewpoint.errors import UserError

BLOCK, AHEAD = 2**29, 2  # bytes of float32 held at once; row groups read ahead
GROUP = 2**26  # bytes of a row group of texts with several vectors, about


class VectorWriter:
    """Vectors to one file, a window of rows at a time; `several` a text where it is said."""

    def __init__(self, path: Path, dimension: int, type: np.dtype, several: bool = False):
        self.path, self.dimension, self.dtype = path, dimension, np.dtype(type)
        item = pa.field("item", pa.from_numpy_dtype(self.dtype), nullable=False)
        self.type = pa.list_(item, dimension)
        one = pa.field("vector", self.type, nullable=False)
        self.list = pa.list_(one)
        self.schema = pa.schema([pa.field("vectors", self.list, nullable=False) if several else one])
        # a dictionary of numbers that hardly repeat makes reading ten times slower
        self.file = pq.ParquetWriter(
            path, self.schema, compression="none", use_dictionary=False, write_statistics=False
        )

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def write(self, vectors: np.ndarray) -> None:
        """One vector a text."""
        self._write(self._rows(vectors))

    def write_several(self, vectors: np.ndarray, counts: np.ndarray) -> None:
        """`counts` says how many of the vectors are each text's; each has some."""
        if not counts.all():
            raise UserError(f"{self.path.name}: text {int(np.argmin(counts))} of a window has no vector; give it one")
        offsets = np.concatenate([[0], np.cumsum(counts)])
        for first, end in cuts(offsets, GROUP // (self.dtype.itemsize * self.dimension)):
            inner = self._rows(vectors[offsets[first] : offsets[end]])
            starts = pa.array((offsets[first : end + 1] - offsets[first]).astype(np.int32))
            self._write(pa.ListArray.from_arrays(starts, inner, type=self.list))

    def _rows(self, vectors: np.ndarray) -> pa.Array:
        if not np.isfinite(vectors).all():
            wide = "; config.yaml's vectors: float32 may hold them" if self.dtype == np.float16 else ""
            raise UserError(f"{self.path.name}: the model gives vectors that {self.dtype} cannot hold{wide}")
        return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=self.type)

    def _write(self, rows: pa.Array) -> None:
        self.file.write_table(pa.Table.from_arrays([rows], schema=self.schema))


@dataclass
class Vectors:
    """The vectors of one part of a dataset, of all its shards; it refuses shards that do not make up a whole.

    Whether a text has `several` is in the files' schema: `blocks` and `all` give single ones, `token_blocks` several.
    """

    manifests: list[Path]

    def __post_init__(self):
        facts = [read_manifest(manifest)["facts"] for manifest in self.manifests]
        self.files = [member(manifest) for manifest in self.manifests]
        self.model, self.dimension, total = (facts[0][name] for name in ("model", "dimension", "of"))
        self.rows, self.buffer = 0, np.empty((0, self.dimension), np.float32)
        for manifest, fact in zip(self.manifests, facts, strict=True):
            refuse_another_model(manifest, fact["model"], self.manifests[0], self.model)
            if fact["first"] != self.rows:
                raise UserError(f"{manifest}: begins at row {fact['first']:,}, but row {self.rows:,} comes next")
            self.rows += fact["rows"]
        if self.rows != total:
            raise UserError(f"{self.manifests[-1]}: ends at row {self.rows:,} of {total:,}; name all shards")
        columns = [pq.read_schema(file).names for file in self.files]
        self.several = columns[0] == ["vectors"]
        for file, column in zip(self.files, columns, strict=True):
            if column != columns[0]:
                raise UserError(f"{file}: has {column[0]}, but {self.files[0]} has {columns[0][0]}; encode both alike")

    def __len__(self) -> int:
        return self.rows

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, float32 vectors) of consecutive rows, good until others are asked for."""
        self._expect(several=False)
        size = min(size or max(1, BLOCK // (4 * self.dimension)), self.rows)
        if size > len(self.buffer):  # kept for the next time: to touch new memory takes as long as to read
            self.buffer = np.empty((size, self.dimension), np.float32)
        first, filled, block = 0, 0, self.buffer[:size]
        for vectors in self._groups():
            while len(vectors):
                taken = vectors[: size - filled]
                block[filled : filled + len(taken)] = taken
                filled, vectors = filled + len(taken), vectors[len(taken) :]
                if filled == size:
                    yield first, block
                    first, filled = first + size, 0
        if filled:
            yield first, block[:filled]

    def token_blocks(self, size: int | None = None) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(first row, float32 vectors, where each text's begin and the last one's end) of consecutive texts.

        They have `size` vectors at most, or are one text.
        """
        self._expect(several=True)
        size, row = size or max(1, BLOCK // (4 * self.dimension)), 0
        for vectors, offsets in self._groups():
            for first, end in cuts(offsets, size):
                block = vectors[offsets[first] : offsets[end]].astype(np.float32)
                yield row + first, block, offsets[first : end + 1] - offsets[first]
            row += len(offsets) - 1

    def total(self) -> int:
        """How many vectors all texts have, as the files' footers say; none is read."""
        footers = (pq.read_metadata(file) for file in self.files)
        groups = (footer.row_group(group) for footer in footers for group in range(footer.num_row_groups))
        return sum(group.column(0).num_values for group in groups) // self.dimension

    def in_memory(self) -> tuple[np.ndarray, np.ndarray]:
        """(vectors as they are stored, offsets [texts + 1] of each text's) of all texts, which have several."""
        self._expect(several=True)
        type = pq.read_schema(self.files[0]).field("vectors").type.value_type.value_type.to_pandas_dtype()
        vectors, ends, first = np.empty((self.total(), self.dimension), type), [np.zeros(1, np.int64)], 0
        for some, offsets in self._groups():
            vectors[first : first + len(some)] = some
            ends.append(first + offsets[1:].astype(np.int64))
            first += len(some)
        return vectors, np.concatenate(ends)

    def _expect(self, several: bool) -> None:
        if several != self.several:
            have, need = ("several vectors", "one") if self.several else ("one vector", "several")
            raise UserError(f"{self.manifests[0]}: has {have} a text, but {need} a text is needed here")

    def _groups(self) -> Iterator:
        """The files' row groups as they are stored; the next are read ahead."""
        groups = ((file, group) for file in self.files for group in range(pq.ParquetFile(file).num_row_groups))
        read = read_several if self.several else read_group
        with ThreadPoolExecutor(AHEAD) as pool:
            coming = deque(pool.submit(read, *group) for group in islice(groups, AHEAD))
            while coming:
                vectors = coming.popleft().result()
                coming.extend(pool.submit(read, *group) for group in islice(groups, 1))
                yield vectors

    def all(self) -> np.ndarray:
        """float32 [rows, dimension]."""
        vectors = np.empty((self.rows, self.dimension), np.float32)
        for first, block in self.blocks():
            vectors[first : first + len(block)] = block
        return vectors


def read_group(file: Path, group: int) -> np.ndarray:
    vectors = pq.ParquetFile(file).read_row_group(group)["vector"].combine_chunks()
    return vectors.flatten().to_numpy().reshape(len(vectors), -1)


def read_several(file: Path, group: int) -> tuple[np.ndarray, np.ndarray]:
    """(vectors, offsets [texts + 1] of each text's)."""
    texts = pq.ParquetFile(file).read_row_group(group)["vectors"].combine_chunks()
    vectors, offsets = texts.flatten(), texts.offsets.to_numpy()
    return vectors.flatten().to_numpy().reshape(len(vectors), -1), offsets - offsets[0]


def cuts(offsets: np.ndarray, size: int) -> Iterator[tuple[int, int]]:
    """(first text, the one after the last) of consecutive texts with `size` vectors at most, at least one text each."""
    first, last = 0, len(offsets) - 1
    while first < last:
        end = max(first + 1, int(np.searchsorted(offsets, offsets[first] + size, "right")) - 1)
        yield first, end
        first = end


def refuse_another_model(place: Path, model: str, other_place: Path, other: str) -> None:
    """Vectors are only comparable when one model made them; the same one may have other names, but not another hash."""
    if model.rpartition(" ")[2] != other.rpartition(" ")[2]:
        raise UserError(f"{place}: made by model {model}, but {other_place} by {other}; encode both with one model")
