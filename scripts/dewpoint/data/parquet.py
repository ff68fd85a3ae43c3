"""Parquet files, some rows at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

BATCH = 65_536  # rows


def row_batches(path: Path, columns: Sequence[str] | None, size: int = BATCH) -> Iterator[pa.RecordBatch]:
    """At most so many rows at once; by itself pyarrow keeps all that it has read of a file until the file is closed."""
    return pq.ParquetFile(path, pre_buffer=False).iter_batches(size, columns=columns)
