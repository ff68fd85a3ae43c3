"""Embeddings on disk: the rows of Parquet files, in the order of what they encode, in one file or many."""

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


class VectorWriter:
    """Vectors to one file, a window of rows at a time."""

    def __init__(self, path: Path, dimension: int, type: np.dtype):
        self.path, self.dtype = path, np.dtype(type)
        item = pa.field("item", pa.from_numpy_dtype(self.dtype), nullable=False)
        self.type = pa.list_(item, dimension)
        self.schema = pa.schema([pa.field("vector", self.type, nullable=False)])
        # a dictionary of numbers that hardly repeat makes reading ten times slower
        self.file = pq.ParquetWriter(
            path, self.schema, compression="none", use_dictionary=False, write_statistics=False
        )

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def write(self, vectors: np.ndarray) -> None:
        if not np.isfinite(vectors).all():
            wide = "; config.yaml's vectors: float32 may hold them" if self.dtype == np.float16 else ""
            raise UserError(f"{self.path.name}: the model gives vectors that {self.dtype} cannot hold{wide}")
        rows = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=self.type)
        self.file.write_table(pa.Table.from_arrays([rows], schema=self.schema))


@dataclass
class Vectors:
    """The vectors of one part of a dataset, of all its shards; it refuses shards that do not make up a whole."""

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

    def __len__(self) -> int:
        return self.rows

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, float32 vectors) of consecutive rows, good until others are asked for."""
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

    def _groups(self) -> Iterator[np.ndarray]:
        """The files' row groups as they are stored; the next are read ahead."""
        groups = ((file, group) for file in self.files for group in range(pq.ParquetFile(file).num_row_groups))
        with ThreadPoolExecutor(AHEAD) as pool:
            coming = deque(pool.submit(read_group, *group) for group in islice(groups, AHEAD))
            while coming:
                vectors = coming.popleft().result()
                coming.extend(pool.submit(read_group, *group) for group in islice(groups, 1))
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


def refuse_another_model(place: Path, model: str, other_place: Path, other: str) -> None:
    """Vectors are only comparable when one model made them."""
    if model != other:
        raise UserError(f"{place}: made by model {model}, but {other_place} by {other}; encode both with one model")
