"""Parquet files are streamed: what was read is not held."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dewpoint.data.parquet import row_batches

GROUPS, ROWS, BYTES = 40, 100, 4000


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path, random = tmp_path_factory.mktemp("parquet") / "f.parquet", np.random.default_rng(1)
    schema = pa.schema([("number", pa.int64()), ("other", pa.binary())])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for group in range(GROUPS):
            numbers = pa.array(np.arange(group * ROWS, (group + 1) * ROWS))
            file.write_table(pa.table([numbers, pa.array([random.bytes(BYTES) for _ in range(ROWS)])], schema=schema))
    return path


def test_no_more_is_held_than_a_few_row_groups(path):
    before, most = pa.total_allocated_bytes(), 0
    for batch in row_batches(path, ["other"], ROWS):
        assert batch.num_rows == ROWS
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 5 * ROWS * BYTES < GROUPS * ROWS * BYTES / 4


def test_all_rows_come_in_order(path):
    parts = [batch["number"].to_numpy() for batch in row_batches(path, ["number"], 70)]
    assert max(map(len, parts)) <= 70 and np.array_equal(np.concatenate(parts), np.arange(GROUPS * ROWS))
    assert next(row_batches(path, None)).schema.names == ["number", "other"]
