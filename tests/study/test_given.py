"""Rankers that are a dataset's list: what their rule is asked for, and that nobody can ask them a question."""

import json

import pytest

import ask
from dewpoint.errors import UserError
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from sample_study import load

MARCO = ("  own:\n", "  marco: {source: msmarco-passage, triples: 30}\n  own:\n")
TRIPLES = ("  bm25:", "  official: {kind: given, list: triples, depth: 20}\n  bm25:")
TRAINED = ("data: d, negatives: [bm25]}", "data: marco, negatives: [official], negatives_depth: 20}")


def test_the_list_of_the_training_split_is_its_run(tmp_path):
    graph = Graph(Config(), load(tmp_path, MARCO, TRIPLES, TRAINED))
    negatives = graph.negatives_inputs(graph.negatives_name("first"))
    assert negatives["runs"] == ["results/quickstart/runs/official/marco.train.json"]
    assert graph.study.rankers["official"].tag() == "given"
    assert graph.rank_inputs("official", "marco", "train") == {"dataset": [graph.dataset("marco")]}
    assert json.loads(graph.rank_settings("official", "train")) == {"depth": 20, "list": "triples", "split": "train"}


def test_a_list_cannot_be_asked(tmp_path):
    graph = Graph(Config(), load(tmp_path, MARCO, TRIPLES, TRAINED))
    known = "ranker 'official' is a given, whose answers are known beforehand; it cannot be asked"
    with pytest.raises(UserError, match=f"^{known}$"):
        ask.load(graph, "official", "marco", {})
