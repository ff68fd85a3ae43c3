"""A late interaction in a study: what it is measured on, and what answers questions with it."""

import json
from types import SimpleNamespace

import pytest

from dewpoint.errors import UserError
from dewpoint.study.graph import Graph
from sample_study import load

LATE = [
    ("rankers:\n", "  late: {recipe: colbert, from: co, data: d, negatives: [bm25], augmented: false}\nrankers:\n"),
    ("rankers:\n", "rankers:\n  near: {kind: late-interaction, model: late, index: {name: ivf}, candidates: 9}\n"),
    ("[bm25, second, hybrid, weighted]", "[late, near]"),
    ("[MRR@10, R@100]", "[MRR@10, latency@10]"),
]
CONFIG = {"output": "o", "study": "s.yaml", "data": "data", "rehearse": False}
CONFIG |= {"precision": "auto", "seed": 1, "threads": 1, "vectors": "float16", "shards": 1}


def graph(folder, *changes) -> Graph:
    return Graph(SimpleNamespace(**CONFIG), load(folder, *LATE, *changes))


def test_it_is_measured_on_runs_only_where_that_is_said(tmp_path):
    plain = graph(tmp_path)
    assert "development" not in json.loads(plain.model_settings("late"))
    assert plain.model_inputs("late")["development"] == []
    for said, run in (("{}", "bm25"), ("{rerank: zero, metric: nDCG@10}", "zero")):
        watched = graph(tmp_path, ("augmented: false", f"development: {said}"))
        assert watched.model_inputs("late")["development"] == [f"o/s/runs/{run}/d.dev.json"]
        assert json.loads(watched.model_settings("late"))["development"]["reranks"] == (run == "zero")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{split: dve}", "development.split: no judged split 'dve'; did you mean 'dev'?"),
        ("{depth: 1001}", "development.depth: 1001, but ranker 'bm25' keeps 1000"),
        ("{rerank: late}", " needs itself: models.late → rankers.late → models.late"),
    ],
)
def test_mistakes_of_what_it_is_measured_on(tmp_path, said, message):
    with pytest.raises(UserError) as error:
        graph(tmp_path, ("augmented: false", f"development: {said}"))
    assert message in str(error.value)


def test_questions_are_read_as_the_models_queries_are(tmp_path):
    made = graph(tmp_path)
    asked = {name: json.loads(made.latency_settings(name, "d", "test")) for name in ("late", "near")}
    for settings in asked.values():
        assert (settings["query_length"], settings["query_prefix"], settings["augmented"]) == (32, "", False)
    assert asked["late"]["batches"].keys() == {"10"} and asked["near"]["batches"].keys() == {"10"}
    assert (asked["near"]["candidates"], asked["near"]["parameters"]) == (9, {"nprobe": 32})
    read = {"dataset", "model", "tokens", "corpus"}
    assert made.latency_inputs("late", "d").keys() == read
    assert made.latency_inputs("near", "d").keys() == read | {"index"}
