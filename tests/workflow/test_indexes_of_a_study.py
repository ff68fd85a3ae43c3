"""Approximate indexes, latency and typed questions, by Snakemake: a model that is indexed in several ways."""

import json
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from benchmarks.ours import TINY
from workflow.conftest import STUDY, Project, copy_project, environment

BERT = {
    "recipe": "mlm",
    "from": "scratch",
    "data": "docs",
    "architecture": TINY | {"dropout": 0},
    "steps": 4,
    "length": 32,
    "batch_size": 8,
}
WRITTEN = {
    "datasets": {"docs": {"source": "pydocs", "packages": ["asyncio", "email"]}},
    "models": {"bert": BERT},
    "rankers": {
        "bm25": {"kind": "bm25", "depth": 50},
        "graph": {"kind": "dense", "model": "bert", "index": {"name": "hnsw", "efSearch": 400}, "depth": 50},
        "lists": {"kind": "dense", "model": "bert", "index": "IVF8,SQ8", "depth": 50},
        "hybrid": {"kind": "fusion", "of": ["graph", "bm25"]},
    },
    "tables": {
        "quality": {"rankers": ["bm25", "graph", "lists", "hybrid"], "on": "docs/test", "metrics": ["MRR@10"]},
        "speed": {"rankers": ["bm25", "bert", "graph"], "on": "docs/test", "metrics": ["latency@1", "latency@2000"]},
    },
}


@pytest.fixture(scope="module")
def indexed(tmp_path_factory) -> Project:
    project = copy_project(tmp_path_factory.mktemp("indexed") / "project")
    (project.folder / STUDY).write_text(yaml.safe_dump(WRITTEN, sort_keys=False))
    project.edit("config.yaml", "shards: 1", "shards: 2")
    project.snakemake()
    return project


def facts(project: Project, kind: str, ranker: str) -> dict:
    return json.loads((project.folder / f"results/mini/{kind}/{ranker}/docs.test.json").read_text())["facts"]


def test_an_index_is_compared_with_exact_search(indexed):
    """The model is no retriever, and becomes a ranker of its own name to compare with."""
    graph, lists = (facts(indexed, "scores", name)["of_exact"] for name in ("graph", "lists"))
    assert graph == {"10": 1.0} and 0 < lists["10"] < 1
    runs = indexed.folder / "results/mini/runs"
    assert (runs / "graph/docs.test.json").exists() and (runs / "bert/docs.test.json").exists()


def test_latency_is_measured_of_what_asks_for_it_and_of_indexes(indexed):
    table = pd.read_csv(indexed.folder / "results/mini/tables/speed.csv", index_col="ranker")
    assert (table > 0).all().all() and list(table.columns) == ["latency@1", "latency@2000", "queries"]
    assert {path.parent.name for path in (indexed.folder / "results/mini/latency").rglob("*.json")} == {
        *("bm25", "bert", "graph", "lists")
    }
    for name in ("bert", "graph"):
        measured = facts(indexed, "latency", name)["milliseconds"]
        assert [*measured] == ["1", "2000"], "what is asked for, and no more"
        for size in measured:
            parts = measured[size]
            assert parts["total"]["mean"] >= parts["encode"]["mean"] + parts["search"]["mean"] > 0
            assert parts["total"]["p99"] >= parts["total"]["mean"] and parts["total"]["sd"] > 0
        assert table.loc[name, "latency@2000"] == measured["2000"]["total"]["mean"]
    rows = pd.read_parquet(indexed.folder / "results/mini/latency/graph/docs.test.parquet")
    assert rows.groupby("batch").size().to_dict() == {1: 300, 2000: 5}
    assert "encode" not in facts(indexed, "latency", "bm25")["milliseconds"]["1"]


def test_the_report_shows_indexes_and_latencies(indexed):
    page = (indexed.folder / "results/mini/report.html").read_text()
    for said in ("Approximate indexes", "HNSW32,Flat", "IVF8,SQ8", "99th percentile", "graph on docs/test"):
        assert said in page


def test_a_parameter_of_the_search_builds_nothing_anew(indexed):
    study = indexed.folder / STUDY
    before = study.read_text()
    study.write_text(before.replace("efSearch: 400", "efSearch: 300"))
    jobs = indexed.pending()
    study.write_text(before)
    assert set(jobs) == {"probe_dense", "latency_dense", "evaluate", "rank_fusion", "explore", "table", "report"}
    assert jobs["probe_dense"] == {"graph"} and not indexed.pending()


def ask(project: Project, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "scripts/ask.py", *words]
    return subprocess.run(
        command, cwd=project.folder, capture_output=True, text=True, env=environment() | {"COLUMNS": "140"}
    )


def test_a_question_to_rankers_of_every_kind(indexed):
    answer = ask(indexed, "--rankers", "bm25", "bert", "graph", "hybrid", "--depth", "3", "--", "send", "an", "email")
    assert answer.returncode == 0, answer.stderr
    for said in ("bm25  (", "bert  (", "graph  (", "hybrid  (", "encode 0.", "fuse 0.", "1  ", "3  "):
        assert said in answer.stdout
    assert "4  " not in answer.stdout
    answers = [ask(indexed, "--rankers", name, "--", "close", "it").stdout for name in ("bert", "graph")]
    exact, graph = (answer.partition("\nnothing is near")[0].splitlines()[2:] for answer in answers)
    assert exact == graph


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["--rankers", "grph"],
            "no ranker 'grph' in studies/mini.yaml; there is bert, bm25, graph, lists, hybrid",
        ),
        (["--dataset", "dogs"], "no dataset 'dogs' in studies/mini.yaml; there is docs"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(indexed, words, error):
    answer = ask(indexed, *words, "--", "why")
    assert (answer.returncode, answer.stderr.strip()) == (1, f"error: {error}")


def test_what_is_not_built_cannot_be_asked(indexed):
    index = indexed.folder / "results/mini/indexes/lists/docs/manifest.json"
    hidden = index.rename(index.with_suffix(".hidden"))
    answer = ask(indexed, "--rankers", "lists", "--", "why")
    hidden.rename(index)
    told = "error: results/mini/indexes/lists/docs/manifest.json: not built yet; run the study first (make quickstart)"
    assert (answer.returncode, answer.stderr.strip()) == (1, told)
