"""Each benchmark runs, in a size of seconds and without data or rivals of its own, and says its figures."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIGURE = re.compile(r"^(.+): -?[0-9.]+.*, goal [≤≥] [0-9.e+-]+, (ok|short)$", re.MULTILINE)
SAID = {
    "answers": {"as fast as the rule pair by pair"},
    "bm25": set(),
    "pairs": {"peak memory", "exponent of the number of pairs", "from the process's start", "the stream alone"},
    "plan": {"heavy packages", "snakemake --list"},
    "prepare": {"exponent of the corpus's size"},
    "pretrain": {"condenser, same precision (bfloat16)", "memory, 32 spans against 16", "stream against training"},
    "rerank": set(),
    "retriever": set(),
    "trust": {"share of manifests and checks"},
    "search": {
        "encoding, smallest cosine",
        "exact search, peak memory",
        "rank, exponent of the corpus's size",
        "bits, R@100",
    },
}
BESIDE = {"common", "ours", "plain", "small_vectors", "soak"}  # the last has no size of seconds


def smoke(name: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, ROOT / "benchmarks" / f"{name}.py", "--smoke", *arguments]
    command += [] if name == "answers" else ["--work", folder]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("name", SAID)
def test_it_runs(name, tmp_path):
    told = smoke(name, tmp_path)
    figures = [figure[0] for figure in FIGURE.findall(told)]
    assert all(any(figure.startswith(said) for figure in figures) for said in SAID[name]), told
    if name == "bm25":
        assert re.search(r"^ours: built in .* s, \d+ MB", told, re.MULTILINE)
        assert told.count("queries/s") + told.count("skipped") == 4
    if name == "rerank":
        assert re.search(r"^ours, float32: [0-9.]+ pairs/s", told, re.MULTILINE)
        assert ("skipped" in told) != ("largest difference of scores: 0.0000, goal ≤ 0.0001, ok" in told)
    if name == "retriever":
        assert len(re.findall(r"seed 1, ours: [0-9.]+ queries/s", told)) == 2
        assert len(re.findall(r"seed 1, theirs: |skipped, .* not installed", told)) in (1, 2)


def test_every_benchmark_is_tried_and_has_a_target():
    names = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - BESIDE
    assert names == SAID.keys()
    assert set(re.findall(r"^bench-(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) == names
