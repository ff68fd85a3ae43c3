"""Parts of long work that an interrupted job finds again: Parquet files in a workspace, each whole or not there."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def keep(path: Path, table: pa.Table) -> None:
    """At once, so that nobody finds half of it."""
    partial = path.with_suffix(".partial")
    pq.write_table(table, partial, write_page_checksum=True)
    os.replace(partial, path)


def kept(path: Path, schema: pa.Schema) -> pa.Table | None:
    """What was kept, if it is there and whole."""
    try:
        return pq.read_table(path, schema=schema, page_checksum_verification=True) if path.is_file() else None
    except (pa.ArrowException, OSError):  # cut, as after a power failure, or damaged
        return None
