"""Embeddings on disk: float16 rows of a Parquet file, in the order of what they encode."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


class VectorWriter:
    """Vectors to one file, a window of rows at a time."""

    def __init__(self, path: Path, dimension: int):
        self.type = pa.list_(pa.float16(), dimension)
        self.schema = pa.schema([("vector", self.type)])
        self.file = pq.ParquetWriter(path, self.schema, compression="none")

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def write(self, vectors: np.ndarray) -> None:
        rows = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=self.type)
        self.file.write_table(pa.Table.from_arrays([rows], schema=self.schema))


def read_vectors(path: Path) -> np.ndarray:
    """float32 [rows, dimension] of one file."""
    vectors = pq.read_table(path)["vector"].combine_chunks()
    return vectors.flatten().to_numpy().reshape(len(vectors), -1).astype(np.float32)
