"""Negatives: what a run leaves when positives are out, as a slow reading of the run says."""

from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import negatives
from dewpoint.data.negatives import candidates, pick, read_negatives, write_negatives
from dewpoint.data.runs import NOTHING, Run, ranked, read_run, write_run
from stored import store_run

PAIR = st.tuples(st.integers(0, 7), st.integers(0, 30))
RUNS = st.dictionaries(PAIR, st.integers(0, 3), max_size=80)
POSITIVES = st.sets(PAIR, max_size=15)


def run_of(scores: dict[tuple[int, int], float]) -> Run:
    pairs = np.array(list(scores), np.int32).reshape(-1, 2)
    return ranked(pairs[:, 0], pairs[:, 1], np.array(list(scores.values()), np.float32), 1000)


def columns(pairs) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(sorted(pairs), np.int32).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def options(**changed) -> SimpleNamespace:
    filters = {"skip": 0, "margin": None, "share": None}
    given = {"split": "train", "depth": 10, "kept": 10, "without": ["judged"], "seed": 0}
    return SimpleNamespace(**given | filters | changed)


def judged(pairs) -> SimpleNamespace:
    """What of a dataset is read: here three queries."""
    return SimpleNamespace(positives=lambda split: columns(pairs), rows=lambda table: 3)


def slow_free(scores, positives, depth):
    """For each judged query the unjudged passages among the first `depth`."""
    free = {}
    for query in {query for query, _ in positives}:
        found = sorted((-score, p) for (q, p), score in scores.items() if q == query)
        free[query] = {p for _, p in found[:depth] if (query, p) not in positives}
    return free


@settings(max_examples=150, deadline=None)
@given(RUNS, POSITIVES, st.integers(1, 12), st.integers(1, 8))
def test_a_query_keeps_unjudged_passages_within_the_depth(scores, positives, depth, kept):
    run, _ = candidates(run_of(scores), columns(positives), None, options(depth=depth), NOTHING)
    query, passage = pick(run, kept, np.random.default_rng(0))
    found = {}
    for q, p in zip(query.tolist(), passage.tolist(), strict=True):
        found.setdefault(q, []).append(p)
    free = slow_free(scores, positives, depth)
    assert list(found) == sorted(q for q in free if free[q])
    for q, passages in found.items():
        assert len(passages) == len(set(passages)) == min(kept, len(free[q]))
        assert set(passages) <= free[q]


def test_the_choice_is_random_and_a_function_of_the_seed():
    run = run_of({(0, p): float(-p) for p in range(30)})
    run, _ = candidates(run, columns({(0, 3)}), None, options(depth=30), NOTHING)
    draws = [pick(run, 5, np.random.default_rng(seed))[1].tolist() for seed in (0, 0, *range(1, 200))]
    assert draws[0] == draws[1] != draws[2]
    share = np.bincount(np.concatenate(draws), minlength=30) / len(draws)
    assert share[3] == 0
    assert np.allclose(np.delete(share, 3), 5 / 29, atol=0.1)


def test_seeds_and_rankers_draw_apart(tmp_path):
    """One run given twice, three negatives of thirty kept: the two rankers differ, and so do two seeds."""
    run, drawn = store_run(tmp_path, "run", run_of({(0, p): float(-p) for p in range(30)})), []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        artifact = Artifact(tmp_path / name / "manifest.json")
        write_negatives(artifact, [run, run], judged({(0, 3)}), options(depth=30, kept=3, seed=seed))
        artifact.seal()
        drawn.append(read_negatives(artifact.manifest).passages.reshape(2, 3).tolist())
    assert drawn[0] == drawn[1]
    assert len({tuple(passages) for passages in (*drawn[0], *drawn[2])}) == 4


def test_every_judged_query_is_an_instance_of_each_ranker(tmp_path):
    runs = [run_of({(0, 1): 2.0, (0, 2): 1.0, (5, 1): 1.0}), run_of({(1, 4): 1.0, (0, 1): 1.0})]
    runs = [store_run(tmp_path, f"run{number}", run) for number, run in enumerate(runs)]
    dataset = judged({(0, 1), (1, 2), (1, 3)})

    def written(name, seed=0):
        artifact = Artifact(tmp_path / name / "manifest.json")
        write_negatives(artifact, runs, dataset, options(seed=seed))
        artifact.seal()
        return artifact.manifest

    rows = pq.read_table(written("a").with_name("negatives.parquet")).to_pylist()
    assert [(row["query"], row["source"], row["passages"]) for row in rows] == [
        (0, 0, [2]),
        (1, 0, []),
        (0, 1, []),
        (1, 1, [4]),
    ]
    made = read_negatives(tmp_path / "a/manifest.json")
    assert (made.query.tolist(), made.passages.tolist()) == ([0, 1, 0, 1], [2, 4])
    assert made.offsets.tolist() == [0, 1, 1, 1, 2]
    assert [fact["queries_without"] for fact in read_manifest(tmp_path / "a/manifest.json")["facts"]["sources"]] == [
        1,
        1,
    ]
    assert read_manifest(written("b"))["content"] == read_manifest(written("c"))["content"]


@settings(max_examples=30, deadline=None)
@given(RUNS, POSITIVES, st.integers(1, 5))
def test_blocks_of_queries_make_no_difference(tmp_path_factory, scores, positives, size):
    folder, made = tmp_path_factory.mktemp("negatives"), []
    run = store_run(folder, "run", run_of(scores))
    for name, held in (("whole", 100), ("blocks", size)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(negatives, "QUERIES", held)
            artifact = Artifact(folder / name / "manifest.json")
            write_negatives(artifact, [run, run], judged(positives), options(kept=3))
            artifact.seal()
        rows = pq.read_table(artifact.manifest.with_name("negatives.parquet")).to_pylist()
        made.append((rows, read_manifest(artifact.manifest)["facts"]))
    assert made[0] == made[1]
    assert [row["query"] for row in made[0][0]] == 2 * sorted({query for query, _ in positives})


@settings(max_examples=50, deadline=None)
@given(RUNS, st.integers(1, 6))
def test_a_run_is_ranked_by_score_then_passage_row(scores, depth):
    pairs = np.array(list(scores), np.int32).reshape(-1, 2)
    run = ranked(pairs[:, 0], pairs[:, 1], np.array(list(scores.values()), np.float32), depth)
    expected = []
    for query in sorted({query for query, _ in scores}):
        found = sorted((-score, p) for (q, p), score in scores.items() if q == query)[:depth]
        expected += [(query, p, rank, -score) for rank, (score, p) in enumerate(found, 1)]
    found = zip(*(column.tolist() for column in (run.query, run.passage, run.rank, run.score)), strict=True)
    assert list(found) == expected


def test_a_run_is_read_as_it_was_written(tmp_path):
    run = run_of({(2, 9): 0.5, (0, 4): 1.5, (0, 3): 1.5})
    artifact = Artifact(tmp_path / "d.test.json")
    write_run(artifact, run)
    artifact.seal()
    again = read_run(artifact.manifest)
    for column in ("query", "passage", "rank", "score"):
        assert getattr(again, column).tolist() == getattr(run, column).tolist()
    assert read_manifest(artifact.manifest)["facts"] == {"rows": 3, "queries": 2}


# --- what is too near to a positive -------------------------------------------------------------

SCORED = st.dictionaries(PAIR, st.integers(1, 40).map(float), max_size=80)
LIMITS = st.tuples(st.none() | st.integers(0, 20), st.none() | st.sampled_from([0.25, 0.5, 1.0]))


@settings(max_examples=100, deadline=None)
@given(RUNS, SCORED, POSITIVES, LIMITS, st.integers(0, 3))
def test_a_negative_is_below_every_positive(scores, judge, positives, limits, skip):
    """By so much, and by such a share, as the judge scores both; what it does not score is kept."""
    margin, share = limits
    asked = options(depth=8, skip=skip, margin=margin, share=share)
    run, _ = candidates(run_of(scores), columns(positives), None, asked, run_of(judge))
    found = {*zip(run.query.tolist(), run.passage.tolist(), strict=True)}
    expected = set()
    for query in {query for query, _ in positives}:
        lowest = min((judge[pair] for pair in positives if pair[0] == query and pair in judge), default=None)
        ordered = sorted((-score, p) for (q, p), score in scores.items() if q == query)[skip:8]
        for _, passage in ordered:
            score = judge.get((query, passage))
            near = None not in (lowest, score) and (score > lowest - (margin or 0) or score > lowest * (share or 1))
            if (query, passage) not in positives and not (near and limits != (None, None)):
                expected.add((query, passage))
    assert found == expected


@pytest.mark.parametrize(("by", "kept"), [(None, [3, 4]), ("judge", [2, 4])])
def test_the_run_judges_itself_or_another_does(tmp_path, by, kept):
    """Passage 1 is the positive; a margin of one."""
    run = store_run(tmp_path, "run", run_of({(0, 2): 9.0, (0, 1): 8.0, (0, 3): 7.0, (0, 4): 6.0}))
    other = store_run(tmp_path, "judge", run_of({(0, 1): 5.0, (0, 3): 5.0, (0, 2): 2.0}))
    artifact = Artifact(tmp_path / "made" / "manifest.json")
    write_negatives(artifact, [run], judged({(0, 1)}), options(margin=1.0), other if by else None)
    artifact.seal()
    assert sorted(read_negatives(artifact.manifest).passages.tolist()) == kept
    assert read_manifest(artifact.manifest)["facts"]["sources"][0]["near_positives"] == 1
