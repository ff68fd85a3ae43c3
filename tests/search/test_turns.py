"""Rankers that are timed in turns: every one in each turn, alike in everything but themselves."""

import random
from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.runs import NOTHING
from dewpoint.search import turns
from dewpoint.search.turns import measure, order, questions
from programs import call
from search.test_bm25 import corpus
from search.test_expansions import passages
from search.test_latency import MONO_PART, world  # noqa: F401  a fixture

COUNTS = st.integers(1, 9)


@given(COUNTS, COUNTS)
def test_repeats_interleave(repeats, rankers):
    """A turn has each ranker once, and is over before the next begins; so between two times of one all others are."""
    taken = list(order(repeats, rankers))
    assert [turn for turn, _ in taken] == sorted(turn for turn, _ in taken)
    for turn in range(repeats):
        assert sorted(ranker for at, ranker in taken if at == turn) == list(range(rankers))
    for one in range(rankers):
        places = [place for place, (_, ranker) in enumerate(taken) if ranker == one]
        for before, after in pairwise(places):
            between = sorted(ranker for _, ranker in taken[before + 1 : after])
            assert between == [other for other in range(rankers) if other != one]


@given(st.integers(1, 60), st.dictionaries(st.sampled_from([1, 3, 10]), COUNTS, min_size=1), COUNTS)
def test_questions_go_on_where_the_turn_before_ended(count, batches, turn):
    """All turns together ask every question as often as any other, or once more."""
    texts = [str(number) for number in range(count)]
    asked = [questions(texts, batches, 1, at) for at in range(turn)]
    assert all(
        [len(batch) for batch in one] == [size for size, n in batches.items() for _ in range(n)] for one in asked
    )
    times = pd.Series([text for one in asked for batch in one for text in batch]).value_counts()
    assert times.max() - (times.min() if len(times) == count else 0) <= 1


class Clock:
    """Ticks only when it is told to."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


def timed(tmp_path, monkeypatch, slowness, repeats, times=4):
    """Three rankers that take 1, 2 and 4 seconds a batch, on a machine that is as slow as `slowness(hour)` says."""
    clock, asked = Clock(), []
    monkeypatch.setattr(turns, "time", clock)

    def open(number):
        def rank(batch, depth):
            took = 2**number * slowness(clock.now / 3600)
            clock.now += took
            asked.append((number, tuple(batch), depth))
            return NOTHING, {"search": took / 2}

        return rank, 10 + number

    output = Artifact(tmp_path / f"{repeats}.json")
    texts = passages(30)
    dataset = corpus(tmp_path / f"data-{repeats}", texts)
    names = [SimpleNamespace(name=name) for name in "abc"]
    settings = {
        "split": "test",
        "seed": 1,
        "turns": repeats,
        "rankers": names,
        "batches": SimpleNamespace(**{"1": times}),
    }
    measure(output, SimpleNamespace(**settings), dataset, open)
    output.seal()
    return read_manifest(output.manifest)["facts"], pd.read_parquet(member(output.manifest)), asked


def test_a_machine_that_slows_down_leaves_the_ratios(tmp_path, monkeypatch):
    """Over the hours it gets five times slower; each ranker by itself, one after the other, would seem to be that."""

    def slower(hour):
        return 1 + hour * 11

    facts, _, _ = timed(tmp_path, monkeypatch, slower, repeats=9)
    a, b, c = (facts["milliseconds"][name]["1"]["total"]["mean"] for name in "abc")
    assert b / a == pytest.approx(2, rel=0.15) and c / b == pytest.approx(2, rel=0.15)

    clock, apart = 0.0, []  # all batches of each, as often
    for number in range(3):
        began = clock
        for _ in range(2 * 9 * 4):
            clock += 2**number * slower(clock / 3600)
        apart.append(clock - began)
    assert apart[1] / apart[0] > 2.5


def test_a_burst_of_other_work_is_in_no_median(tmp_path, monkeypatch):
    """It is in one turn of five, whichever ranker it meets."""
    hit = random.Random(4).uniform(0, 5 * 2 * 4 * 7 / 3600)
    facts, rows, _ = timed(tmp_path, monkeypatch, lambda hour: 50 if abs(hour - hit) < 4 / 3600 else 1, repeats=5)
    assert rows["total"].max() >= 50
    assert [facts["milliseconds"][name]["1"]["total"]["mean"] for name in "abc"] == [1000, 2000, 4000]
    assert [facts["milliseconds"][name]["1"]["search"]["mean"] for name in "abc"] == [500, 1000, 2000]


def test_each_turn_asks_all_the_same_and_counts_the_second_time(tmp_path, monkeypatch):
    facts, rows, asked = timed(tmp_path, monkeypatch, lambda hour: 1, repeats=3)
    assert len(rows) == 3 * 3 * 4 and len(asked) == 2 * len(rows)
    whole = [asked[start : start + 8] for start in range(0, len(asked), 8)]  # a ranker's in a turn
    assert [one[:4] == one[4:] for one in whole] == [True] * 9
    assert {depth - number for number, _, depth in asked} == {10}
    for turn in range(3):
        assert len({tuple(batch for _, batch, _ in one) for one in whole[3 * turn : 3 * turn + 3]}) == 1
    assert [(one.turn, one.ranker) for one in rows.iloc[::4].itertuples()] == [
        (turn, "abc"[number]) for turn, number in order(3, 3)
    ]
    assert facts["turns"] == 3 and facts["batches"] == {"1": 4}


def test_the_program_opens_each_with_its_own_manifests(world, tmp_path):  # noqa: F811
    """BM25, and a mono-T5 over another BM25, whose parts are timed; in a table the parts that it asks for."""
    dataset, index, model = world
    first = {"name": "words", "kind": "bm25", "depth": 9, "settings": {"depth": 9}, "takes": {"index": 1}, "parts": []}
    settings = {"rankers": [first, {"name": "judged"} | MONO_PART], "split": "test", "seed": 1, "turns": 2}
    output = tmp_path / "turns" / "both" / "d.test.json"
    call(
        "turns",
        output,
        settings | {"batches": {"1": 2, "10": 1}},
        dataset=dataset,
        parts=[index, dataset, model, index],
    )
    facts, rows = read_manifest(output)["facts"], pd.read_parquet(member(output))
    assert rows.groupby(["ranker", "turn", "batch"]).size().to_dict() == {
        (ranker, turn, batch): times
        for ranker in ("words", "judged")
        for turn in (0, 1)
        for batch, times in ((1, 2), (10, 1))
    }
    judged, words = facts["milliseconds"]["judged"], facts["milliseconds"]["words"]
    assert judged["1"].keys() == {"total", "search", "judge"} and words["1"].keys() == {"total", "search"}
    for of_ranker in facts["milliseconds"].values():
        assert all(part["p99"] >= part["mean"] > 0 for size in of_ranker.values() for part in size.values())
