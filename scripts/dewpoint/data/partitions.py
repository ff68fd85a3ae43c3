"""Rows by ranges of a key, in files of a folder: two tables that are larger than memory are joined range by range."""

from pathlib import Path

import numpy as np
import pyarrow as pa

HELD = 1 << 27  # bytes in memory before they are written
KEY = "key"  # the column, any whole number below 2^64
HALF = np.uint64(32)


class Partitions:
    """A table whose rows come in any order; those of a range come back in the order they came."""

    def __init__(self, path: Path, schema: pa.Schema, count: int):
        """So many ranges, whose files' names begin with `path`."""
        self.path, self.schema, self.count = path, schema, count
        self.held: list[pa.RecordBatch] = []
        self.bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.held.append(batch)
        self.bytes += batch.nbytes
        if self.bytes >= HELD:
            self.flush()

    def flush(self) -> None:
        """Append what is held to the ranges' files."""
        if not self.held:
            return
        held = pa.concat_batches(self.held)
        self.held, self.bytes = [], 0
        ranges = (held[KEY].to_numpy() >> HALF) * np.uint64(self.count) >> HALF
        order = np.argsort(ranges, kind="stable")
        held, bounds = held.take(pa.array(order)), np.searchsorted(ranges[order], np.arange(self.count + 1))
        for part, (first, end) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
            if first < end:
                self._append(part, held.slice(first, end - first))

    def take(self, part: int) -> pa.Table:
        """The rows of a range, whose file is then removed."""
        self.flush()
        path, batches = self._path(part), []
        if path.is_file():
            with pa.OSFile(str(path)) as file:
                while file.tell() < file.size():
                    batches += pa.ipc.open_stream(file)
            path.unlink()
        return pa.Table.from_batches(batches, self.schema)

    def _append(self, part: int, batch: pa.RecordBatch) -> None:
        """As a stream of its own, so that no file stays open."""
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with open(self._path(part), "ab") as file, pa.ipc.new_stream(file, self.schema, options=options) as stream:
            stream.write_batch(batch)

    def _path(self, part: int) -> Path:
        return self.path.with_name(f"{self.path.name}-{part}.arrows")
