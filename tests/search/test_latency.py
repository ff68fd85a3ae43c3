"""The time of rankers that are made of others: their parts are opened as they are by hand, and each part is timed."""

import json

import numpy as np
import pandas as pd
import pytest

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.runs import ranked
from dewpoint.models.stand_in import stand_in
from dewpoint.program import namespace
from dewpoint.rankers import bm25, duot5, fusion, monot5
from dewpoint.rankers._parts import opened
from dewpoint.search import bm25 as postings
from programs import call
from search.test_bm25 import QUERIES, SETTINGS, corpus
from search.test_expansions import passages
from stored import store_run

TIMED = {"split": "test", "seed": 1, "batches": {"1": 2, "10": 3}}
T5 = {"precision": "float32", "title": "none", "passage_length": 64, "query_length": 12, "passage_prefix": ""}
MONO, DUO = T5 | {"depth": 8, "top": 6}, T5 | {"depth": 5, "top": 3, "aggregate": "sym-sum"}
FUSED = {"depth": 7, "method": "reciprocal_rank", "k": 60, "weights": [1.0, 2.0]}
FIRST = {"kind": "bm25", "depth": 9, "settings": {"depth": 9}, "takes": {"index": 1}, "parts": []}
MONO_PART = {"kind": "monot5", "depth": 8, "settings": MONO, "takes": {"dataset": 1, "model": 1}, "parts": [FIRST]}


ASKED = [" ".join(text.split()[:3]) for text in passages(30)[:6]]


def stored(text: dict):
    return namespace(json.dumps(text, sort_keys=True))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Manifests of a dataset, of BM25's index of it, and of a T5."""
    root = tmp_path_factory.mktemp("latency")
    dataset = corpus(root / "data", passages(30))
    index = Artifact(root / "index" / "manifest.json", SETTINGS)
    postings.build(index, Dataset(dataset), stored(SETTINGS))
    index.seal()
    model = Artifact(root / "t5" / "manifest.json")
    stand_in("org/t5", lambda: [[*passages(30), *QUERIES]], 1, model.path("."))
    model.seal()
    return dataset, index.manifest, model.manifest


def test_parts_are_opened_as_by_hand(world):
    """A fusion of BM25 and of a duo-T5 over a mono-T5 over BM25: each takes its own of the manifests in order."""
    dataset, index, model = world
    first = (bm25.live(stored({}), index), 9)
    mono = (monot5.live(stored(MONO), dataset, model, [first]), 8)
    duo = (duot5.live(stored(DUO), dataset, model, [mono]), 5)
    expected, _ = fusion.live(stored(FUSED), None, [first, duo])(ASKED, 7)
    duo_part = MONO_PART | {"kind": "duot5", "depth": 5, "settings": DUO, "parts": [MONO_PART]}
    parts = stored({"parts": [FIRST, duo_part]}).parts
    found, took = fusion.live(stored(FUSED), None, opened(parts, [index, dataset, model, dataset, model, index]))(
        ASKED, 7
    )
    assert len(found.query) > len(ASKED) and {"search", "judge", "fuse"} == took.keys()
    for name in ("query", "passage", "score"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()


@pytest.mark.parametrize("kind", ["monot5", "duot5", "fusion"])
def test_batches_are_timed_as_often_as_is_said_and_each_part(world, tmp_path, kind):
    dataset, index, model = world
    output = tmp_path / "ranker" / "d.test.json"
    own = {"monot5": MONO | {"parts": [FIRST]}, "duot5": DUO | {"parts": [MONO_PART]}}
    settings = TIMED | own.get(kind, FUSED | {"parts": [FIRST, MONO_PART]})
    parts = {"monot5": [index], "duot5": [dataset, model, index]}.get(kind, [index, dataset, model, index])
    files = {"dataset": dataset, "parts": parts} | ({"model": model} if kind != "fusion" else {})
    call(f"rankers.{kind} latency", output, settings, **files)
    facts, rows = read_manifest(output)["facts"], pd.read_parquet(member(output))
    assert facts["batches"] == {"1": 2, "10": 3} and rows.groupby("batch").size().to_dict() == {1: 2, 10: 3}
    assert {*rows} == {"batch", "total", "search", "judge"} | ({"fuse"} if kind == "fusion" else set())
    assert (rows["total"] >= rows.drop(columns=["batch", "total"]).sum(axis=1)).all()
    assert facts["milliseconds"]["10"]["total"]["p99"] >= facts["milliseconds"]["10"]["total"]["mean"]


def test_a_table_gets_the_part_that_it_asks_for(tmp_path):
    """Of a batch's times each part's mean or 99th percentile; a part that a ranker does not have takes no time."""
    data = Artifact(tmp_path / "data" / "manifest.json")
    writer = DatasetWriter(data)
    writer.passage("", "p", "text")
    writer.query("", "test", "q", "text")
    writer.judgement("", "test", "q", "p")
    writer.finish()
    data.seal()
    run = store_run(tmp_path, "run", ranked(*(np.zeros(1, int),) * 2, np.ones(1, np.float32), 1))
    timed = Artifact(tmp_path / "latency.json")
    timed.facts["milliseconds"] = {
        "10": {"total": {"mean": 3.5, "sd": 1.0, "p99": 9.0}, "search": {"mean": 2.5, "sd": 1.0, "p99": 8.0}},
        "2000": {"total": {"mean": 70.0, "sd": 1.0, "p99": 90.0}},
    }
    timed.seal()
    asked = {"latency@10": 3.5, "latency-search-p99@10": 8.0, "latency-encode@10": 0.0, "latency-p99@2000": 90.0}
    settings = {"split": "test", "metrics": ["MRR@10", *asked]}
    output = tmp_path / "scores" / "d.test.json"
    call("evaluate", output, settings, dataset=data.manifest, run=run, latency=timed.manifest)
    assert read_manifest(output)["facts"]["metrics"] == {"MRR@10": 1.0} | asked
