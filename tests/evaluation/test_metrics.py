"""Metrics equal what a pencil says."""

from math import log2

import numpy as np
import pytest

from dewpoint.data.runs import Run
from dewpoint.evaluation.metrics import agreement, evaluate

# query 0: passages 1, 2, 3 with grades 3, 1, 2, passage 9 judged as not relevant
# query 2: passage 5; query 4: passage 6, never found; query 7: nothing relevant is known
JUDGED = [(0, 1, 3), (0, 2, 1), (0, 3, 2), (0, 9, 0), (2, 5, 1), (4, 6, 1), (7, 8, 0)]
FOUND = {0: [9, 3, 4, 1, 7], 2: [1, 2, 5], 7: [8]}


def columns(rows, *types):
    return tuple(np.array(column, type) for column, type in zip(zip(*rows, strict=True), types, strict=True))


def run_of(found):
    rows = [
        (query, passage, -float(rank)) for query, passages in found.items() for rank, passage in enumerate(passages)
    ]
    return Run(*columns(rows, np.int32, np.int32, np.float32)) if rows else Run(*(np.zeros(0, np.int32) for _ in "qps"))


def measured(metric, found=FOUND, judged=JUDGED):
    return evaluate(run_of(found), columns(judged, np.int32, np.int32, np.int32), [metric])[metric]


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("MRR@10", [1 / 2, 1 / 3, 0]),
        ("MRR@2", [1 / 2, 0, 0]),
        ("MRR@1", [0, 0, 0]),
        ("R@2", [1 / 3, 0, 0]),
        ("R@100", [2 / 3, 1, 0]),
        ("Success@1", [0, 0, 0]),
        ("Success@2", [1, 0, 0]),
        ("Success@20", [1, 1, 0]),
        ("P@2", [1 / 2, 0, 0]),
        ("P@5", [2 / 5, 1 / 5, 0]),
        ("nDCG@10", [(2 / log2(3) + 3 / log2(5)) / (3 + 2 / log2(3) + 1 / log2(4)), 1 / log2(4), 0]),
        ("nDCG@3", [(2 / log2(3)) / (3 + 2 / log2(3) + 1 / log2(4)), 1 / log2(4), 0]),
    ],
)
def test_by_hand(metric, values):
    """A query that the run leaves out counts as zero; one without a relevant passage does not count at all."""
    found = measured(metric)
    assert found.index.tolist() == [0, 2, 4]
    assert found.tolist() == pytest.approx(values)
    assert found.mean() == pytest.approx(sum(values) / 3)


def test_many_at_once_are_each_alone():
    names = ["nDCG@10", "MRR@10", "Success@2", "R@2", "P@5", "MRR@2"]
    judged = columns(JUDGED, np.int32, np.int32, np.int32)
    together = evaluate(run_of(FOUND), judged, names)
    assert together.columns.tolist() == names
    for name in names:
        assert together[name].tolist() == measured(name).tolist()


@pytest.mark.parametrize(("order", "value"), [([9, 10, 11], 1 / 3), ([11, 10, 9], 1.0), ([10, 11, 9], 1 / 2)])
def test_ties_stay_as_the_run_broke_them(order, value):
    run = Run(np.zeros(3, np.int32), np.array(order, np.int32), np.ones(3, np.float32))
    judged = columns([(0, 11, 1)], np.int32, np.int32, np.int32)
    assert evaluate(run, judged, ["MRR@10"])["MRR@10"].tolist() == [value]


def test_ranks_count_whatever_the_scores():
    """Here scores grow with the rank."""
    run = Run(np.zeros(2, np.int32), np.array([4, 2], np.int32), np.array([0.0, 5.0], np.float32))
    assert evaluate(run, columns([(0, 4, 1)], *[np.int32] * 3), ["MRR@10"])["MRR@10"].tolist() == [1.0]


def test_a_run_without_a_row_is_zero():
    assert measured("MRR@10", found={}).tolist() == [0, 0, 0]


def test_agreement_is_the_share_of_what_exact_search_finds():
    """Whatever the order; cutoffs beyond the depth are left out."""
    rng = np.random.default_rng(0)
    best = {query: rng.permutation(300)[:100] for query in (0, 3, 4)}
    found = {query: np.concatenate([passages[rng.random(100) < 0.7][::-1], [999]]) for query, passages in best.items()}
    found[4] = np.array([], int)
    expected = {}
    for cutoff in (10, 100):
        hits = sum(len({*best[query][:cutoff]} & {*found[query][:cutoff]}) for query in best)
        expected[str(cutoff)] = round(hits / (3 * cutoff), 4)
    assert agreement(run_of(found), run_of(best), 100) == expected
    assert agreement(run_of(best), run_of(best), 50) == {"10": 1.0}


def test_no_metric_of_quality_is_no_mistake():
    """As for a table of latencies."""
    values = evaluate(run_of(FOUND), columns(JUDGED, np.int32, np.int32, np.int32), [])
    assert (len(values), list(values.columns)) == (3, [])
