"""Fusion equals a slow sum in dictionaries, whatever the blocks it is made in."""

import statistics
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact
from dewpoint.data.runs import Run, ranked, read_run, write_run
from dewpoint.search.fusion import fuse
from programs import call

RUN = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 12)), st.integers(-5, 5), max_size=25)
RUNS = st.lists(st.tuples(RUN, st.sampled_from([0.25, 0.7, 1.0, 2.0])), min_size=2, max_size=3)


def how(method="weighted", scale="min-max", k=60, depth=1000) -> SimpleNamespace:
    return SimpleNamespace(method=method, scale=scale, k=k, depth=depth)


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
            total[pair] += score
    found = by_query({pair: np.float32(score) for pair, score in total.items()})
    return [(query, *pair) for query in sorted(found) for pair in found[query][:depth]]


def rows(run):
    return list(zip(run.query.tolist(), run.passage.tolist(), run.score, strict=True))


def fused(runs, settings):
    return fuse([run_of(scores) for scores, _ in runs], [weight for _, weight in runs], settings)


@settings(max_examples=100, deadline=None)
@given(RUNS, st.integers(1, 8), st.integers(1, 60))
def test_reciprocal_rank(runs, depth, k):
    parts = [
        {
            (q, p): weight * (1 / (k + rank))
            for q, pairs in by_query(scores).items()
            for rank, (p, _) in enumerate(pairs, 1)
        }
        for scores, weight in runs
    ]
    assert rows(fused(runs, how("reciprocal_rank", k=k, depth=depth))) == slow(parts, depth)


@settings(max_examples=100, deadline=None)
@given(RUNS, st.integers(1, 8))
def test_min_max(runs, depth):
    def scaled(pairs, score):
        low, high = pairs[-1][1], pairs[0][1]
        return (score - low) / (high - low) if high > low else 0

    parts = [
        {(q, p): weight * scaled(pairs, score) for q, pairs in by_query(scores).items() for p, score in pairs}
        for scores, weight in runs
    ]
    assert rows(fused(runs, how(depth=depth))) == slow(parts, depth)


@settings(max_examples=100, deadline=None)
@given(RUNS)
def test_z(runs):
    """(score - mean) / σ, the query's lowest where not found: the same but for what a query's passages share."""
    expected = defaultdict(float)
    pairs = {pair for scores, _ in runs for pair in scores}
    for scores, weight in runs:
        for query, found in by_query(scores).items():
            mean, spread = (f([score for _, score in found]) for f in (statistics.fmean, statistics.pstdev))
            z = {passage: (score - mean) / spread if spread else 0 for passage, score in found}
            for passage in (p for q, p in pairs if q == query):
                expected[query, passage] += weight * z.get(passage, min(z.values()))
    apart = defaultdict(list)
    for query, passage, score in rows(fused(runs, how(scale="z"))):
        apart[query].append(score - expected.pop((query, passage), 0))
    assert not expected
    for shared in apart.values():
        assert max(shared) - min(shared) < 1e-5


@settings(max_examples=50, deadline=None)
@given(RUNS, st.sampled_from(["min-max", "z"]), st.floats(-1e4, 1e4, width=16), st.sampled_from([0.25, 2, 64]))
def test_a_rankers_unit_and_zero_do_not_matter(runs, scale, shift, unit):
    moved = [({pair: unit * score for pair, score in scores.items()}, weight) for scores, weight in runs]
    assert rows(fused(moved, how(scale=scale))) == rows(fused(runs, how(scale=scale)))
    moved = [({pair: score + round(shift) for pair, score in scores.items()}, weight) for scores, weight in runs]
    one, other = (fused(which, how(scale=scale)) for which in (moved, runs))
    scores = ({(q, p): score for q, p, score in rows(run)} for run in (one, other))
    assert next(scores) == pytest.approx(next(scores), abs=1e-5)


@pytest.mark.parametrize("scale", ["min-max", "z"])
def test_a_query_whose_run_has_no_spread_gives_nothing(scale):
    level, other = run_of({(0, p): 0.1 for p in range(3)}), run_of({(0, 2): 5.0, (0, 7): 4.0})
    run = fuse([level, other], [1, 1], how(scale=scale))
    assert run.passage.tolist() == [2, 0, 1, 7] and run.score[1:].tolist() == [0, 0, 0]


def test_by_hand():
    """Passage 1 is first and second: 1 / 61 + 2 / 62; passage 2 is found by one ranker alone."""
    one, two = run_of({(0, 1): 9.0, (0, 2): 8.0}), run_of({(0, 3): 1.0, (0, 1): 0.5})
    run = fuse([one, two], [1, 2], how("reciprocal_rank", depth=10))
    assert run.passage.tolist() == [1, 3, 2]
    assert run.score.tolist() == pytest.approx([1 / 61 + 2 / 62, 2 / 61, 1 / 62])
    assert fuse([one, two], [1, 2], how(depth=10)).score.tolist() == [2.0, 1.0, 0.0]
    assert fuse([one, two], [1, 2], how(scale="z")).score.tolist() == [4.0, 2.0, 0.0]  # σ is half of max - min


def artifact(path, run) -> Artifact:
    made = Artifact(path)
    write_run(made, run)
    made.seal()
    return path


def test_the_program_fuses_many_blocks_of_queries(tmp_path):
    """Queries over several blocks, some found by one ranker only, one run ending long before the other."""
    rng, runs = np.random.default_rng(0), []
    for number, last in enumerate((1500, 600, 1200)):
        pairs = rng.choice(last * 20, last * 4, replace=False)
        pairs = pairs[(pairs // 20 % 7 != number) & ~((pairs // 20 > 300) & (pairs // 20 < 1100) & (number == 2))]
        runs.append(ranked(pairs // 20, pairs % 20, rng.integers(0, 9, len(pairs)).astype(np.float32), 3))
    paths = [artifact(tmp_path / f"{number}.json", run) for number, run in enumerate(runs)]
    settings = vars(how(scale="z", depth=5)) | {"weights": [0.5, 0.2, 1]}
    made = read_run(call("rankers.fusion rank", tmp_path / "fused.json", settings, runs=paths))
    assert rows(made) == rows(fuse(runs, [0.5, 0.2, 1], how(scale="z", depth=5)))


def test_a_fusion_of_fusions(tmp_path):
    one, two = run_of({(0, 1): 9.0, (0, 2): 8.0}), run_of({(0, 3): 1.0, (0, 1): 0.5})
    paths = [artifact(tmp_path / f"{name}.json", run) for name, run in (("one", one), ("two", two))]
    settings = {"method": "weighted", "scale": "min-max", "depth": 9, "weights": [1, 2]}
    inner = call("rankers.fusion rank", tmp_path / "inner.json", settings, runs=paths)
    outer = read_run(call("rankers.fusion rank", tmp_path / "outer.json", settings, runs=[inner, paths[1]]))
    assert rows(outer) == [(0, 3, 3.0), (0, 1, 0.5), (0, 2, 0.0)]
