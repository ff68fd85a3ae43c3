"""Significance: the tests are what a slow reading of their definitions says, and hold what they promise."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.evaluation import significance
from dewpoint.evaluation.significance import compare, holm, resampled, resampled_with_seeds, t_test
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import call
from sample_study import load

VALUES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=30)


@given(VALUES)
def test_the_t_test_is_scipys(values):
    values = np.array(values).round(3)
    differences = values[:, 1:] - values[:, :1]
    varied = differences.std(0) > 1e-12
    expected = stats.ttest_rel(values[:, 1:][:, varied], values[:, :1]).pvalue
    assert t_test(differences)[varied] == pytest.approx(expected)


def slow_bootstrap(differences: list[float], drawn: np.ndarray) -> tuple[float, float, float]:
    """A resample at a time."""
    mean = sum(differences) / len(differences)
    means = [sum(differences[row] for row in rows) / len(rows) for rows in drawn]
    far = sum(abs(one - mean) > abs(mean) - 1e-12 for one in means)
    return *np.percentile(means, [2.5, 97.5]), (1 + far) / (1 + len(means))


@settings(max_examples=20, deadline=None)
@given(VALUES, st.integers(0, 9), st.integers(1, 100))
def test_the_bootstrap_is_the_slow_one_with_the_same_resamples(values, seed, held):
    """In blocks of any size; values such as success's 0 and 1 give means that are equal but for rounding."""
    values = np.array(values).round(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(significance, "RESAMPLES", 300)
        patch.setattr(significance, "DRAWN", held)
        found = np.transpose(resampled(values - 0.5, seed))
    drawn = np.random.default_rng(seed).integers(len(values), size=(300, len(values)))
    expected = [slow_bootstrap(column.tolist(), drawn) for column in (values - 0.5).T]
    assert found == pytest.approx(np.array(expected))


def test_under_the_null_p_is_uniform():
    """400 rankers that differ from the baseline by chance alone: so many are below 0.05, 0.2, 0.5 as p says."""
    random = np.random.default_rng(3)
    differences = np.where(random.random((200, 400)) < 0.4, random.normal(size=(200, 400)), 0)
    low, high, bootstrap = resampled(differences, 0)
    for p in (t_test(differences), bootstrap):
        for level in (0.05, 0.2, 0.5, 0.8):
            assert (p <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 400))
    assert ((low <= 0) & (high >= 0)).mean() == pytest.approx(0.95, abs=0.05)


def test_a_difference_is_found():
    differences = np.random.default_rng(0).normal(0.3, 1, size=(300, 1))
    low, high, bootstrap = resampled(differences, 0)
    assert t_test(differences) < 1e-4 and bootstrap < 1e-3 and 0 < low < differences.mean() < high


@pytest.mark.parametrize("queries", [1, 5])
def test_without_any_difference_p_is_one(queries):
    differences = np.zeros((queries, 2))
    assert t_test(differences).tolist() == [1, 1]
    assert [part.tolist() for part in resampled(differences, 0)] == [[0, 0], [0, 0], [1, 1]]


def test_holm_by_hand():
    """0.01 counts four times, 0.02 three times, 0.03 twice; never less than the one before, never over 1."""
    assert holm(np.array([0.03, 0.01, 0.6, 0.02])).tolist() == pytest.approx([0.06, 0.04, 0.6, 0.06])
    assert holm(np.array([0.9, 0.5])).tolist() == [1, 1]


def test_a_metric_is_compared_on_the_queries_that_count_for_it():
    """R on all four, Hit on three of them."""
    index = pd.Index([0, 2, 3, 7], name="query")
    base = pd.DataFrame({"R@10": [0, 0.5, 1, 0], "Hit@5": [1, np.nan, 0, 0]}, index)
    other = pd.DataFrame({"R@10": [1, 0.5, 1, 0.5], "Hit@5": [1, np.nan, 1, 0]}, index)
    found = compare({"one": other, "base": base, "same": base}, "base", 0).set_index(["ranker", "metric"])
    assert found["queries"].to_dict() == {
        (r, m): n for m, n in {"R@10": 4, "Hit@5": 3}.items() for r in ("one", "same")
    }
    expected = [4, 0.375, 0.75, 0.375, stats.ttest_rel(other["R@10"], base["R@10"]).pvalue]
    columns = ["queries", "baseline", "mean", "difference", "t_test"]
    assert found.loc[("one", "R@10"), columns].tolist() == pytest.approx(expected)
    assert found.loc[("same", "Hit@5"), [*columns, "bootstrap"]].tolist() == pytest.approx([3, 1 / 3, 1 / 3, 0, 1, 1])


def test_the_program_compares_a_tables_rankers_on_each_of_its_splits(tmp_path):
    """What the graph asks for is what the program finds in the scores; latency is left out."""
    change = (
        "on: d/test, metrics: [MRR@10, R@100]",
        "on: {d/test: [latency@1, R@100], d/dev: [MRR@10]}, baseline: second",
    )
    fewer = ("[bm25, second, hybrid, weighted]", "[bm25, second, first]")
    graph = Graph(Config(study="s.yaml", output=str(tmp_path)), load(tmp_path, change, fewer))
    assert graph.comparisons("t") == [f"{tmp_path}/s/comparisons/t.json"] == [graph.comparison("t")]
    random = np.random.default_rng(0)
    scores, values = [], {}
    for place, metric in (("test", "R@100"), ("dev", "MRR@10")):
        for ranker in ("bm25", "second", "first"):
            values[place, ranker] = random.random(50)
            made = Artifact(tmp_path / f"{ranker}.{place}.json")
            frame = pd.DataFrame({"query": np.arange(50), metric: values[place, ranker], "P@1": 0.0})
            frame.to_parquet(made.beside(".parquet"), index=False)
            made.seal()
            scores.append(made.manifest)
    settings = json.loads(graph.compare_settings("t"))
    made = call("compare", tmp_path / "t.json", settings, scores=scores)
    table = pq.read_table(tmp_path / "t.parquet").to_pandas()
    places = [("bm25", "d", "test", "R@100"), ("first", "d", "test", "R@100")]
    places += [("bm25", "d", "dev", "MRR@10"), ("first", "d", "dev", "MRR@10")]
    assert list(table[["ranker", "dataset", "split", "metric"]].itertuples(index=False, name=None)) == places
    for row in table.itertuples():
        theirs = stats.ttest_rel(values[row.split, row.ranker], values[row.split, "second"])
        assert row.t_test == pytest.approx(theirs.pvalue)
        assert row.difference == pytest.approx(row.mean - row.baseline)
        assert row.low < row.difference < row.high
    for test in ("t_test", "bootstrap"):
        assert table[f"{test}_corrected"].tolist() == holm(table[test].to_numpy()).tolist()
    facts = read_manifest(made)["facts"]
    assert facts == {"baseline": "second", "comparisons": 4, "resamples": 10_000, "level": 0.95}


def test_a_single_query_says_nothing_of_chance():
    """No interval and no p; and what is not tested does not count among the tests that p is corrected for."""
    values = {
        name: pd.DataFrame({"R@1": [value, np.nan], "P@1": [value, value / 2]})
        for name, value in {"a": 0, "b": 1, "c": 0.5}.items()
    }
    found = compare(values, "a", 1)
    alone = found[found["metric"] == "R@1"]
    assert alone["queries"].tolist() == [1, 1]
    assert alone[["low", "high", "t_test", "bootstrap"]].isna().all(axis=None)
    assert found[found["metric"] == "P@1"][["low", "high", "t_test", "bootstrap"]].notna().all(axis=None)
    assert holm(np.array([0.03, np.nan, 0.01])).tolist() == pytest.approx([0.03, np.nan, 0.02], nan_ok=True)
    assert np.isnan(holm(np.full(2, np.nan))).all()


def test_of_one_seed_only_queries_are_drawn():
    """So, too, where all seeds came to the same."""
    better, than = np.random.default_rng(1).random((2, 50, 1))
    expected = [part.item() for part in resampled(better - than, 7)]
    assert list(resampled_with_seeds(better, than, 7)) == pytest.approx(expected, abs=1e-12)
    found = resampled_with_seeds(np.tile(better, 3), np.tile(than, 2), 7)
    assert list(found) == pytest.approx(expected, abs=1e-12)


def test_seeds_that_overlap_are_chance():
    """All queries agree that the mean is better, but not every training was."""
    better, than = np.full((200, 3), [0.5, 0.3, 0.4]), np.full((200, 3), [0.25, 0.45, 0.35])
    low, high, p = resampled_with_seeds(better, than, 1)
    assert low < 0 < 0.05 < high and p > 0.2
    assert resampled((better - than).mean(1, keepdims=True), 1)[2] < 0.001


def test_p_of_seeds_is_right_where_nothing_differs():
    """Of two systems that are the same p is below .1 about a tenth of the time."""
    random, found = np.random.default_rng(3), []
    for run in range(200):
        queries = random.normal(size=(60, 1))
        sides = [queries + random.normal(size=(60, 5)) + random.normal(size=5) for _ in range(2)]
        found.append(resampled_with_seeds(*sides, run)[2])
    assert 0.05 < np.mean(np.array(found) < 0.1) < 0.3
