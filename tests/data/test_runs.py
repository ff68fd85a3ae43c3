"""Runs on disk: blocks of queries are one run."""

import numpy as np
import pytest

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.runs import Run, RunWriter, ranked, read_run, write_run

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
