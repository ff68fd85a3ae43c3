"""Runs on disk: blocks of queries are one run."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.runs import Run, RunWriter, query_blocks, ranked, read_run, write_run

RUN = ranked(np.array([0, 0, 2, 2, 2, 7]), np.array([4, 3, 1, 0, 9, 5]), np.float32([1, 1, 0.5, 3, 2, 8]), 2)


def write(folder, blocks):
    artifact = Artifact(folder / "d.test.json")
    with RunWriter(artifact) as file:
        for block in blocks:
            file.write(block)
    artifact.seal()
    return folder / "d.test.json"


def part(first, last):
    within = (RUN.query >= first) & (RUN.query < last)
    return Run(RUN.query[within], RUN.passage[within], RUN.score[within])


def rows(run):
    return list(zip(*(getattr(run, name).tolist() for name in ("query", "passage", "rank", "score")), strict=True))


def test_blocks_are_one_run(tmp_path):
    whole = Artifact(tmp_path / "whole.json")
    write_run(whole, RUN)
    whole.seal()
    blocks = write(tmp_path, [part(0, 1), part(1, 2), part(2, 9)])
    assert rows(read_run(blocks)) == rows(read_run(tmp_path / "whole.json")) == rows(RUN)
    assert read_manifest(blocks)["facts"] == whole.facts == {"rows": 5, "queries": 3}


@pytest.mark.parametrize("blocks", [[], [part(3, 4)]])
def test_a_run_that_found_nothing_is_a_run(tmp_path, blocks):
    assert rows(read_run(write(tmp_path, blocks))) == []


@pytest.mark.parametrize("second", [part(0, 1), part(0, 3), part(2, 3)])
def test_blocks_come_in_the_order_of_their_queries(tmp_path, second):
    with pytest.raises(ValueError, match="after query 2: blocks of queries come in order"):
        write(tmp_path, [part(1, 3), second])


@given(st.sets(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=60), st.integers(1, 50), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_a_run_in_blocks_of_queries(tmp_path_factory, pairs, size, rows_read):
    """Each block has its queries' rows, whatever the file is read in."""
    table = np.array(sorted(pairs), np.int32).reshape(-1, 2)
    run = ranked(table[:, 0], table[:, 1], np.zeros(len(table), np.float32), 9)
    artifact = Artifact(tmp_path_factory.mktemp("run") / "d.test.json")
    write_run(artifact, run)
    artifact.seal()
    with pytest.MonkeyPatch.context() as patch:
        reader = pq.ParquetFile.iter_batches
        patch.setattr(pq.ParquetFile, "iter_batches", lambda file, _, **options: reader(file, rows_read, **options))
        blocks = list(query_blocks(artifact.manifest, size))
    for number, block in enumerate(blocks):
        assert set((block.query // size).tolist()) <= {number}
    assert [row for block in blocks for row in rows(block)] == rows(run)
