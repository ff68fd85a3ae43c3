"""What the program that answers questions is given, and what it shows."""

import argparse

import numpy as np
import pytest

import ask
from dewpoint.data.runs import Run
from dewpoint.errors import UserError, printable
from dewpoint.study.graph import Graph
from stored import store_run


@pytest.mark.parametrize("text", ["-3", "0", "1.5", "", "١", "many"])
def test_a_depth_is_a_number_of_passages(text):
    assert ask.at_least_one("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match=f"^expected a number of passages, found '{text}'$"):
        ask.at_least_one(text)


def test_a_question_is_text():
    question = b"what is \xff".decode("utf-8", "surrogateescape")  # as a shell's arguments come
    assert ask.decoded("what is é") == "what is é"
    with pytest.raises(UserError, match=r"^the question is not UTF-8"):
        ask.decoded(question)


def test_what_is_typed_is_text(monkeypatch):
    def typed(_: str) -> str:
        return b"\xff".decode()

    monkeypatch.setattr("builtins.input", typed)
    with pytest.raises(UserError, match=r"^the question is not UTF-8"):
        ask.prompt()


def test_a_passage_does_not_talk_to_the_terminal():
    shown = printable("\x1b]0;title\x07 red \x1b[31m, \x9b2J, \u202eback, é\u00a0東京")
    assert shown == " ]0;title  red  [31m,  2J,  back, é\u00a0東京"


def test_what_is_asked_first():
    """What is made of others, then what needs no model, then the last that has one."""
    graph = Graph.of_config("studies/quickstart.yaml")
    picked = ask.pick(graph, next(iter(graph.study.tables.values())).rankers)
    assert picked == ["hybrid", "bm25", "second"]
    assert ask.pick(graph, ["first", "bert-first"]) == ["bert-first"]


def test_a_question_is_far_only_for_all():
    assert ask.is_far({"one": 0.5, "two": 2.0}, {"one": 1.0, "two": 3.0}).startswith("nothing is near: 95% of")
    assert ask.is_far({"one": 1.0, "two": 2.0}, {"one": 1.0, "two": 3.0}) is None
    assert ask.is_far({"one": 0.5, "two": 9.0}, {"one": 1.0, "two": None}).endswith("by one")
    assert ask.is_far({"hybrid": 0.0}, {}) is None


def test_what_is_usual_is_of_each_querys_best(tmp_path):
    query, rank = np.divmod(np.arange(40, dtype=np.int32), 2)
    run = store_run(tmp_path, "run", Run(query, rank, (100 - query - 50 * rank).astype(np.float32)))
    assert ask.usual(run) == pytest.approx(np.quantile(np.arange(81, 101), 0.05))
    assert ask.usual(tmp_path / "none.json") is None
