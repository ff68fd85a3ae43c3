"""Fusion equals a slow sum in dictionaries."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.data.runs import Run, ranked
from dewpoint.search.fusion import reciprocal_rank, weighted_score

RUN = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 12)), st.integers(-5, 5), max_size=25)
RUNS = st.lists(st.tuples(RUN, st.sampled_from([0.25, 0.7, 1.0, 2.0])), min_size=2, max_size=3)


def run_of(scores: dict[tuple[int, int], float]) -> Run:
    pairs = np.array(list(scores), np.int32).reshape(-1, 2)
    return ranked(pairs[:, 0], pairs[:, 1], np.array(list(scores.values()), np.float32), 1000)


def by_query(scores) -> dict[int, list[tuple[int, float]]]:
    found = defaultdict(list)
    for (query, passage), score in scores.items():
        found[query].append((passage, score))
    return {query: sorted(pairs, key=lambda pair: (-pair[1], pair[0])) for query, pairs in found.items()}


def slow(parts, depth):
    """(query, passage, score) of the summed parts, best first, ties by passage."""
    total = defaultdict(float)
    for part in parts:
        for pair, score in part.items():
            total[pair] += float(score)
    found = by_query({pair: np.float32(score) for pair, score in total.items()})
    return [(query, *pair) for query in sorted(found) for pair in found[query][:depth]]


def rows(run):
    return list(zip(run.query.tolist(), run.passage.tolist(), run.score, strict=True))


@settings(max_examples=100, deadline=None)
@given(RUNS, st.integers(1, 8), st.integers(1, 60))
def test_reciprocal_rank(runs, depth, k):
    parts = [
        {(q, p): weight / (k + rank) for q, pairs in by_query(scores).items() for rank, (p, _) in enumerate(pairs, 1)}
        for scores, weight in runs
    ]
    fused = reciprocal_rank([run_of(scores) for scores, _ in runs], [weight for _, weight in runs], depth, k)
    assert rows(fused) == slow(parts, depth)


@settings(max_examples=100, deadline=None)
@given(RUNS, st.integers(1, 8))
def test_weighted_score(runs, depth):
    def scaled(pairs, score, weight):
        low, high = pairs[-1][1], pairs[0][1]
        share = np.float32(score - low) / np.float32(high - low) if high > low else np.float32(0)
        return np.float32(weight) * share

    parts = [
        {(q, p): scaled(pairs, score, weight) for q, pairs in by_query(scores).items() for p, score in pairs}
        for scores, weight in runs
    ]
    fused = weighted_score([run_of(scores) for scores, _ in runs], [weight for _, weight in runs], depth)
    assert rows(fused) == slow(parts, depth)


def test_by_hand():
    """Passage 1 is first and second: 1 / 61 + 2 / 62; passage 2 is found by one ranker alone."""
    one, two = run_of({(0, 1): 9.0, (0, 2): 8.0}), run_of({(0, 3): 1.0, (0, 1): 0.5})
    fused = reciprocal_rank([one, two], [1, 2], 10, 60)
    assert fused.passage.tolist() == [1, 3, 2]
    assert fused.score.tolist() == pytest.approx([1 / 61 + 2 / 62, 2 / 61, 1 / 62])
    assert weighted_score([one, two], [1, 2], 10).score.tolist() == [2.0, 1.0, 0.0]
