"""Neighbourhood recall: counts are those of plain sets, per query."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import read_manifest
from dewpoint.data.runs import NOTHING, Run
from dewpoint.errors import UserError
from dewpoint.evaluation.neighbours import shared
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import beir, call, prepare
from sample_study import load
from stored import store_run

LISTS = st.lists(st.lists(st.integers(0, 9), unique=True, max_size=7), min_size=1, max_size=5)


def run_of(lists) -> Run:
    """A run from each query's passages, best first."""
    query = np.array([row for row, passages in enumerate(lists) for _ in passages], np.int32)
    passage = np.array([passage for passages in lists for passage in passages], np.int32)
    return Run(query, passage, -np.arange(len(query), dtype=np.float32))


@settings(max_examples=100)
@given(LISTS, LISTS)
def test_shared_is_of_plain_sets(first, second):
    found = shared(run_of(first), run_of(second), [1, 3, 20], [2, 5])
    for row, n in enumerate([1, 3, 20]):
        for column, k in enumerate([2, 5]):
            both = zip(first, second, strict=False)
            assert found[row, column] == sum(len({*one[:k]} & {*other[:n]}) for one, other in both)


def test_nothing_shares_nothing():
    assert not shared(NOTHING, run_of([[1, 2]]), [1], [1]).any()
    assert not shared(run_of([[1, 2]]), NOTHING, [1], [1]).any()


@pytest.fixture
def dataset(tmp_path):
    """Of three queries."""
    (tmp_path / "files").mkdir()
    corpus = "".join(json.dumps({"_id": f"p{row}", "text": f"text {row}"}) + "\n" for row in range(9))
    queries = "".join(json.dumps({"_id": f"q{row}", "text": f"asked {row}"}) + "\n" for row in range(3))
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{row}\tp{row}\t1\n" for row in range(3))
    files = {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": qrels}
    return prepare(tmp_path, beir(tmp_path / "files", files))


SETTINGS = {"pairs": [["a", "b"]], "split": "test", "top": [2, 4], "depths": [1, 2, 4, 8], "seed": 1}


def test_recall_by_hand(tmp_path, dataset):
    """Averaged over all queries, the last of which the first ranker finds nothing for."""
    runs = [
        store_run(tmp_path, "a", run_of([[0, 1, 2, 3], [4, 5, 6, 7], []])),
        store_run(tmp_path, "b", run_of([[1, 0, 8, 3], [7, 4, 0, 1], [2, 3, 4, 5]])),
    ]
    outputs = [
        call("analyses.neighbours work", tmp_path / time / "manifest.json", SETTINGS, dataset=dataset, runs=runs)
        for time in ("one", "two")
    ]
    table = pd.read_parquet(outputs[0].parent / "neighbours.parquet")
    assert table.columns.tolist() == ["first", "second", "n", "k", "nb_recall"]
    expected = {  # 8 is beyond what the first ranker has
        (2, 1): (1 + 1) / 6,
        (2, 2): (2 + 1) / 6,
        (2, 4): (2 + 2) / 6,
        (4, 1): (1 + 1) / 12,
        (4, 2): (2 + 1) / 12,
        (4, 4): (3 + 2) / 12,
    }
    assert table.set_index(["n", "k"])["nb_recall"].to_dict() == pytest.approx(expected)
    assert (outputs[0].parent / "neighbours.svg").read_text().count("<polyline") == 2
    assert read_manifest(outputs[0])["facts"]["queries"] == 3
    for name in ("neighbours.parquet", "neighbours.svg"):
        assert len({(output.parent / name).read_bytes() for output in outputs}) == 1


def test_a_ranker_that_finds_nothing_is_refused(tmp_path, dataset):
    runs = [store_run(tmp_path, "a", NOTHING), store_run(tmp_path, "b", run_of([[1]]))]
    with pytest.raises(SystemExit, match=r"a\.json: finds nothing for any query of test; take another ranker"):
        call("analyses.neighbours work", tmp_path / "x/manifest.json", SETTINGS, dataset=dataset, runs=runs)


# --- in a study ---------------------------------------------------------------------------------

ENTRY = "{kind: neighbours, first: [bm25, first], second: [second], on: own/test}"
STUDY = ("tables:", f"analyses:\n  mined: {ENTRY}\ntables:")


def test_each_first_comes_with_its_second(tmp_path):
    graph = Graph(Config(study="s.yaml"), load(tmp_path, STUDY))
    runs = [f"results/s/runs/{name}/own.test.json" for name in ("bm25", "second", "first", "second")]
    assert graph.analysis_inputs("mined") == {"runs": runs, "dataset": ["data/own/manifest.json"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("second: [second]", "second: [second, zero, bm25]"), "second: 3 for 2 of `first`; name one for each, or one"),
        (("second: [second]", "second: [secnd]"), "second: no ranker 'secnd'; did you mean 'second'"),
        (("on: own/test}", "on: own/tst}"), "on: no judged split 'tst'; did you mean 'test'"),
        (("on: own/test}", "on: own/test, top: [2000]}"), "top: 2000, but ranker 'second' keeps 1000"),
        (("on: own/test}", "on: own/test, depths: [2000]}"), "depths: 2000 at least, but ranker 'bm25' keeps 1000"),
    ],
)
def test_mistakes(tmp_path, change, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, STUDY, change)
    assert f"analyses.mined.{message}" in str(error.value) or f"analyses.mined: {message}" in str(error.value)
