"""Batches of queries that lie together: whose they are, how many, and which pairs of a query are drawn."""

from collections import Counter
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.test_retriever_batches import JUDGED, POOLS, read
from data.test_retriever_batches import stream as rotating
from data.test_teacher import EVERY, write
from dewpoint.data.clustered import Clustered, picked, ranges_of
from dewpoint.errors import UserError

INSTANCES = st.dictionaries(st.integers(0, 30), st.integers(1, 2), min_size=1)  # of each query


@st.composite
def worlds(draw):
    """(query of each instance, cluster of each query): some queries have two instances, some clusters no query."""
    asked = draw(INSTANCES)
    queries = draw(st.permutations([query for query, times in asked.items() for _ in range(times)]))
    return np.array(queries), np.array(draw(st.lists(st.integers(0, 5), min_size=31, max_size=31)))


@given(worlds(), st.integers(1, 12), st.integers(1, 3), st.booleans(), st.integers(0, 5))
def test_a_batch_is_of_as_few_clusters_as_it_can_be(world, size, together, by_size, seed):
    """Its size is always the same; no query comes twice; drawn clusters give their share, others what is missing."""
    queries, of_query = world
    made = Clustered(queries, of_query[queries], size, seed, together, by_size)
    sizes = Counter(of_query[np.unique(queries)].tolist())
    wanted, shared = min(size, len(set(queries.tolist()))), min(together, len(sizes))
    for step in range(8):
        _, rows = made.rows(step)
        batch = queries[rows]
        assert len(batch) == wanted == len(set(batch.tolist()))
        found = Counter(of_query[batch].tolist())
        share = wanted // shared
        if min(sizes.values()) >= share + 1:
            assert len(found) == min(shared, wanted) and set(found.values()) <= {share, share + 1}
        if len(found) > shared:  # others were needed, so one of those drawn first has been used up
            assert any(found[cluster] == sizes[cluster] for cluster in found)
    assert made.steps == -(-len(queries) // size)


@given(worlds(), st.integers(1, 9), st.booleans())
def test_a_batch_is_a_function_of_seed_and_step(world, size, by_size):
    queries, of_query = world
    one, two, other = (Clustered(queries, of_query[queries], size, seed, 2, by_size) for seed in (1, 1, 2))
    margins = [np.random.default_rng(row).normal(size=(2, 5)) for row in range(4)]
    steps = [9, 0, 4]
    drawn = {step: (one.rows(step)[1].tolist(), one.pick(step, margins, 2)) for step in steps}
    assert drawn == {step: (two.rows(step)[1].tolist(), two.pick(step, margins, 2)) for step in reversed(steps)}
    if len(set(queries.tolist())) > 12:
        assert any(one.rows(step)[1].tolist() != other.rows(step)[1].tolist() for step in range(20))


def test_every_query_and_every_instance_comes():
    queries, of_query = np.array([0, 1, 2, 3, 4, 5, 0, 3]), np.array([0, 0, 0, 1, 1, 2])
    made = Clustered(queries, of_query[queries], 2, 0)
    assert {row for step in range(200) for row in made.rows(step)[1].tolist()} == set(range(8))
    assert [made.rows(step)[0] for step in (0, 3, 4, 9)] == [0, 0, 1, 2]


@pytest.mark.parametrize(("by_size", "share"), [(False, 1 / 2), (True, 9 / 10)])
def test_clusters_are_drawn_alike_or_by_size(by_size, share):
    """Ninety queries in one cluster, ten in the other; one query a batch."""
    queries = np.arange(100)
    made = Clustered(queries, (queries >= 90).astype(int), 1, 3, by_size=by_size)
    found = np.mean([made.rows(step)[1][0] < 90 for step in range(2000)])
    assert abs(found - share) < 0.04


def test_no_query_is_a_mistake():
    with pytest.raises(UserError, match="nothing to train on"):
        Clustered(np.zeros(0, int), np.zeros(0, int), 4, 0)


def test_small_clusters_are_said(caplog):
    caplog.set_level("INFO")
    queries = np.arange(10)
    Clustered(queries, np.array([0] * 8 + [1] * 2), 4, 0)
    said = "2 clusters of 2 to 8 training queries; batches are filled up from others where they are among the 1 with"
    assert f"{said} less than 4" in caplog.text


# --- pairs by their margins ---------------------------------------------------------------------

MARGINS = st.lists(st.lists(st.floats(-50, 50, width=16), min_size=4, max_size=4), min_size=1, max_size=3).map(np.array)


@given(MARGINS, st.integers(1, 12))
def test_ranges_are_equally_wide_and_hold_all(margins, bins):
    """The least is in the first, the greatest in the last; all equal are one range."""
    ranges, least, greatest = ranges_of(margins, bins), margins.min(), margins.max()
    if least == greatest:
        assert (ranges == 0).all()
        return
    assert ranges[margins == least].max() == 0 and ranges[margins == greatest].min() == bins - 1
    width = (greatest - least) / bins
    assert (margins >= least + ranges * width - 1e-9).all() and (margins <= least + (ranges + 1) * width + 1e-9).all()


@given(MARGINS, st.integers(1, 12), st.integers(0, 6), st.integers(0, 9))
def test_negatives_are_of_one_positive_and_none_twice(margins, bins, wanted, seed):
    positive, negatives = picked(margins, wanted, bins, np.random.default_rng(seed))
    assert 0 <= positive < len(margins) and set(negatives) <= set(range(4))
    assert len(negatives) == len(set(negatives)) == min(wanted, 4)


def test_each_range_is_drawn_as_often_and_each_pair_in_it():
    """Three of ten ranges hold pairs: six, two and one."""
    margins = np.array([[0.0, 0.1, 0.2, 5.0, 10.0], [0.3, 0.4, 0.5, 5.1, np.nan]])
    random, draws = np.random.default_rng(0), 6000
    found = Counter((positive, at) for positive, (at,) in (picked(margins, 1, 10, random) for _ in range(draws)))
    of_range = Counter()
    for (positive, at), times in found.items():
        of_range[at // 3 + (at == 4)] += times
        assert abs(times / draws - {0: 1 / 18, 1: 1 / 6, 2: 1 / 3}[at // 3 + (at == 4)]) < 0.02
    assert len(found) == 9 and all(abs(times / draws - 1 / 3) < 0.03 for times in of_range.values())


def test_without_ranges_all_pairs_are_alike():
    margins, random = np.full((2, 3), np.nan), np.random.default_rng(0)
    found = Counter((positive, at) for positive, (at,) in (picked(margins, 1, 10, random) for _ in range(3000)))
    assert len(found) == 6 and all(abs(times / 3000 - 1 / 6) < 0.03 for times in found.values())
    assert picked(np.zeros((2, 0)), 3, 10, random)[1] == []


# --- in a retriever's batches -------------------------------------------------------------------


def stream(folder=None, bins=1, **changed):
    """All queries in one cluster, or each in its own."""
    pairs = {pair: float(pair[1]) for pair in EVERY}  # a passage's score is its number
    compose = partial(lambda queries, size, seed: Clustered(queries, queries % 2, size, seed, bins=bins))
    return rotating(compose=compose, teacher=folder and write(folder, pairs), **changed)


@pytest.mark.parametrize("taught", [False, True])
def test_a_query_is_given_its_own_pairs(tmp_path, taught):
    made = stream(tmp_path if taught else None, bins=4, wanted=2)
    pools = {query: [set(pool) for of, pool in POOLS if of == query] for query in JUDGED}
    seen = Counter()
    for step in range(60):
        queries, passages = read(made.batch(step))
        for query, (positive, *negatives) in zip(queries, passages, strict=True):
            assert positive in JUDGED[query]
            kept = max(len(set(negatives) & pool) for pool in pools[query])
            assert kept >= min(2, min(map(len, pools[query])))  # fewer are made up for at random
            seen[query, positive] += 1
    assert seen.keys() == {(query, passage) for query, passages in JUDGED.items() for passage in passages}


def test_the_first_positive_alone_is_given_where_it_is_asked_for():
    made = stream(positives="first")
    drawn = [pair for step in range(30) for pair in zip(*read(made.batch(step)), strict=True)]
    assert all(passages[0] == JUDGED[query][-1] for query, passages in drawn)


def test_margins_are_those_of_the_teacher(tmp_path):
    """Query 0 has positive 3 and negatives 10, 12, 14, 16, 18: margins -7 to -15, in ranges of two and of three."""
    made = stream(tmp_path, bins=2, pools=[(0, [10, 12, 14, 16, 18])], wanted=1, size=1)
    found = Counter(read(made.batch(step))[1][0][1] for step in range(3000))
    assert abs((found[16] + found[18]) / 3000 - 1 / 2) < 0.04  # -11, right between them, is in the upper one
