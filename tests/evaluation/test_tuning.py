"""Tuning: each weights' value is the metric of the fusion by them, and the best weights are those that are used."""

from fractions import Fraction
from math import comb
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.runs import Run, ranked, read_run, write_run
from dewpoint.evaluation.metrics import Judgements, evaluate
from dewpoint.evaluation.tuning import grid, tune
from dewpoint.search.fusion import fuse
from programs import call, prepare, tables
from stored import store_run

METRICS = ["MRR@2", "MRR@10", "R@3", "nDCG@2", "nDCG@10", "Success@1", "P@5", "Rprec"]
PAIR = st.tuples(st.integers(0, 5), st.integers(0, 9))
RUN = st.dictionaries(PAIR, st.integers(0, 3), max_size=30)
JUDGED = st.dictionaries(PAIR, st.integers(-2, 6).map(lambda halves: halves / 2), min_size=1, max_size=12)


def run_of(scores: dict[tuple[int, int], float], depth: int = 1000) -> Run:
    pairs = np.array(list(scores), np.int32).reshape(-1, 2)
    return ranked(pairs[:, 0], pairs[:, 1], np.array(list(scores.values()), np.float32), depth)


def judgements(judged: dict[tuple[int, int], float], relevant: float = 1) -> Judgements:
    pairs = np.array(list(judged), np.int32)
    return Judgements(pairs[:, 0], pairs[:, 1], np.array(list(judged.values()), np.float32), relevant)


def how(**changed) -> SimpleNamespace:
    return SimpleNamespace(**{"method": "weighted", "scale": "min-max", "k": 60, "depth": 1000} | changed)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(RUN, min_size=2, max_size=3),
    JUDGED,
    st.sampled_from(METRICS),
    st.sampled_from([("weighted", "min-max"), ("weighted", "z"), ("reciprocal_rank", None)]),
    st.integers(1, 7),
    st.sampled_from([0.5, 1, 2]),
    st.booleans(),
)
def test_values_are_the_metric_of_the_fused_runs(scores, judged, metric, method, size, relevant, of_documents):
    """Also in blocks of a few queries, of which some have no judgement, some no row; and of documents."""
    judged = judgements(judged, relevant)
    if of_documents:
        judged.documents = np.array([0, 1, 1, 2, 0, 3, 4, 4, 5, 9], np.int32)
    runs, weights = [run_of(one) for one in scores], grid(len(scores), 3)
    option = how(method=method[0], scale=method[1], metric=metric)
    parts = [[_between(run, first, first + size) for run in runs] for first in range(0, 6, size)]
    expected = [evaluate(fuse(runs, one, option), judged, [metric])[metric].mean() for one in weights]
    assert tune(parts, judged, weights, option) == pytest.approx(np.array(expected), abs=1e-6)


def _between(run: Run, first: int, last: int) -> Run:
    within = (run.query >= first) & (run.query < last)
    return Run(run.query[within], run.passage[within], run.score[within])


@pytest.mark.parametrize(("rankers", "steps"), [(2, 1), (2, 10), (3, 10), (4, 3), (5, 1)])
def test_the_grid_is_the_simplex_the_most_even_first(rankers, steps):
    found = grid(rankers, steps)
    assert len({tuple(one) for one in found}) == len(found) == comb(steps + rankers - 1, rankers - 1)
    exact = [[Fraction(weight).limit_denominator(steps) for weight in one] for one in found]
    assert all(sum(one) == 1 and min(one) >= 0 and all(w * steps % 1 == 0 for w in one) for one in exact)
    squares = [sum(weight * weight for weight in one) for one in exact]
    assert squares == sorted(squares)
    assert found[-1] == [0.0] * (rankers - 1) + [1.0]


def test_the_order_of_the_grid_by_hand():
    assert grid(2, 3) == [[2 / 3, 1 / 3], [1 / 3, 2 / 3], [1, 0], [0, 1]]
    assert grid(3, 2)[:3] == [[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def test_values_that_are_equal_are_equal_to_the_last_digit():
    """The two rankers have the same ranks for other queries: a tie, though the sums' last digits differ."""
    first = {(query, p): 9.0 - p for query in range(6) for p in range(9)}
    second = {(query, p): float(p) for query in range(6) for p in range(9)}
    places = [0, 0, 0, 8, 8, 8]
    judged = judgements({(query, p): 1 for query, p in enumerate(places)})
    sums = [sum(1 / rank for rank in ranks) for ranks in ([p + 1 for p in places], [9 - p for p in places])]
    assert sums[0] != sums[1] == pytest.approx(sums[0])
    blocks = [[_between(run_of(scores), query, query + 1) for scores in (first, second)] for query in range(6)]
    values = tune(blocks, judged, [[1, 0], [0, 1]], how(metric="MRR@10"))
    assert values[0] == values[1] == pytest.approx(sums[0] / 6)


@pytest.fixture
def world(tmp_path):
    """(dataset, runs): of three judged queries one needs a first weight over 1 / 2, one a weight below 5 / 6."""
    corpus = "id,text\n" + "".join(f"p{row},word\n" for row in range(8))
    queries = "id,text\n" + "".join(f"q{row},word\n" for row in range(4))
    files = {"corpus.csv": corpus, "queries.csv": queries, "judgements.csv": "query,passage\nq0,p2\nq2,p2\nq3,p7\n"}
    dataset = prepare(tmp_path, tables(tmp_path, files))
    found = [
        {(0, 2): 1, (0, 0): 0, (1, 5): 3, (2, 0): 6, (2, 2): 5, (2, 4): 1},
        {(0, 0): 1, (0, 2): 0, (2, 2): 1, (2, 0): 0},
    ]
    runs = []
    for name, scores in zip("ab", found, strict=True):
        made = Artifact(tmp_path / f"{name}.json")
        write_run(made, run_of(scores))
        made.seal()
        runs.append(made.manifest)
    return dataset, runs


SETTINGS = {"method": "weighted", "scale": "min-max"}


def test_the_program_chooses_and_the_fusion_uses_it(world, tmp_path):
    dataset, runs = world
    options = {"split": "test", "metric": "MRR@10", "steps": 10}
    tuned = call(
        "rankers.fusion index", tmp_path / "tuned/manifest.json", SETTINGS | options, dataset=dataset, runs=runs
    )
    facts = read_manifest(tuned)["facts"]
    tried = pq.read_table(tmp_path / "tuned/weights.parquet").to_pydict()
    assert facts["tried"] == 11 == len(tried["weights"]) and tried["weights"] == grid(2, 10)
    best = max(tried["MRR@10"])
    assert facts["weights"] == next(w for w, v in zip(*tried.values(), strict=True) if v == best)
    assert facts["weights"] == [0.6, 0.4]
    fused = call("rankers.fusion rank", tmp_path / "fused.json", SETTINGS | {"depth": 9}, runs=runs, tuned=tuned)
    expected = fuse([read_run(run) for run in runs], facts["weights"], how(depth=9))
    assert read_run(fused).score.tolist() == expected.score.tolist()
    score = call("evaluate", tmp_path / "s.json", options | {"metrics": ["MRR@10"]}, dataset=dataset, run=fused)
    assert read_manifest(score)["facts"]["metrics"]["MRR@10"] == facts["MRR@10"] == round(2 / 3, 6)


def test_of_equal_weights_the_most_even(world, tmp_path):
    """Both rankers are alike, whatever their weights."""
    dataset, runs = world
    options = SETTINGS | {"split": "test", "metric": "MRR@10", "steps": 5}
    tuned = call(
        "rankers.fusion index", tmp_path / "tuned/manifest.json", options, dataset=dataset, runs=[runs[0], runs[0]]
    )
    assert read_manifest(tuned)["facts"]["weights"] == [0.6, 0.4]


def test_weights_may_be_tuned_by_pages(tmp_path):
    """p0 and p1 are a page: the first ranker has it first by p0, and the judged p1 last."""
    files = {
        "corpus.csv": "id,text,document\np0,word,a\np1,word,a\np2,word,b\n",
        "judgements.csv": "query,passage\nq1,p1\n",
    }
    dataset = prepare(tmp_path, tables(tmp_path, files))
    scores = [{(0, 0): 3, (0, 2): 2, (0, 1): 1}, {(0, 2): 3, (0, 1): 2, (0, 0): 1}]
    runs = [store_run(tmp_path, name, run_of(one)) for name, one in zip("ab", scores, strict=True)]
    for metric, value in (("PageRprec", 1.0), ("Rprec", 0.0)):
        options = SETTINGS | {"split": "test", "metric": metric, "steps": 1}
        tuned = call("rankers.fusion index", tmp_path / "tuned/manifest.json", options, dataset=dataset, runs=runs)
        assert (read_manifest(tuned)["facts"]["weights"], read_manifest(tuned)["facts"][metric]) == ([1, 0], value)


def test_without_a_positive_there_is_nothing_to_tune_on(world, tmp_path):
    folder = tmp_path / "none"
    folder.mkdir()
    settings = tables(folder)
    settings["queries"]["dev"] = settings["queries"]["test"]  # with no judgements
    dataset = prepare(folder, settings)
    options = SETTINGS | {"split": "dev", "metric": "MRR@10", "steps": 5}
    with pytest.raises(SystemExit) as exit:
        call("rankers.fusion index", tmp_path / "tuned/manifest.json", options, dataset=dataset, runs=world[1])
    assert str(exit.value) == f"error: {folder}/out: no query of dev has a positive to tune weights on"
