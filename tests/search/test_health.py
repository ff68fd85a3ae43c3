"""How vectors lie: streamed sums are those of plain linear algebra over all at once; hubness is counted by hand."""

import numpy as np
import pandas as pd
import pytest

from dewpoint.data.runs import Run
from dewpoint.errors import UserError
from dewpoint.search import health
from dewpoint.search.health import concentration, hubness, occurrences, spread
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import call
from sample_study import load
from stored import store, store_run

ROWS, SIZE = 200, 6


@pytest.fixture
def vectors():
    """Of few directions, far from the origin; one has no length."""
    random = np.random.default_rng(5)
    made = random.normal(size=(ROWS, 3)) @ random.normal(size=(3, SIZE)) + 30
    made[17] = 0
    return made.astype(np.float32)


@pytest.mark.parametrize("block", [7, 8192])
def test_sums_are_those_of_all_at_once(tmp_path, vectors, monkeypatch, block):
    monkeypatch.setattr(health, "BLOCK", block)
    found, whole = spread(store(tmp_path, "corpus", vectors, [50, 120])), vectors.astype(np.float64)
    norms = np.linalg.norm(whole, axis=1)
    assert found.norms == pytest.approx(norms, rel=1e-6)
    assert found.lengths["norm"] == pytest.approx(norms.mean()) and found.lengths["norm_1%"] < found.lengths["norm_99%"]
    assert found.lengths["norm_50%"] == pytest.approx(np.median(norms))
    units = np.delete(whole, 17, 0) / np.delete(norms, 17)[:, None]
    cosines = (units @ units.T)[~np.eye(ROWS - 1, dtype=bool)]
    assert found.cosine == pytest.approx(cosines.mean())
    variances = np.linalg.eigvalsh(np.cov(whole.T, bias=True))[::-1]
    assert found.variances == pytest.approx(variances, abs=1e-7 * variances[0])
    assert found.variances[:4].sum() == pytest.approx(variances.sum())


def test_ranks_of_known_spectra():
    """As many directions as vary alike; 1 where all lie in a line."""
    even = health.Spread(np.ones(3), 0, np.array([2.0, 2.0, 2.0, 0.0]))
    assert (even.effective_rank, even.participation_ratio) == pytest.approx((3, 3))
    line = health.Spread(np.ones(3), 0, np.array([5.0, 0.0]))
    assert (line.effective_rank, line.participation_ratio) == pytest.approx((1, 1))
    uneven = health.Spread(np.ones(3), 0, np.array([3.0, 1.0]))
    assert uneven.participation_ratio == pytest.approx(16 / 10)
    assert uneven.effective_rank == pytest.approx(4 / 3**0.75)


def test_vectors_that_are_all_the_same(tmp_path):
    found = spread(store(tmp_path, "corpus", np.full((4, 3), 2, np.float32)))
    assert found.cosine == pytest.approx(1) and found.participation_ratio == 0
    assert np.isnan(spread(store(tmp_path, "one", np.ones((1, 3), np.float32))).cosine)


def test_hubness_by_hand():
    """Five passages; the first is in both queries' first two."""
    run = Run(np.array([0, 0, 0, 1, 1]), np.array([0, 2, 3, 1, 0]), np.zeros(5, np.float32))
    counts = occurrences(run, 2, 5)
    assert counts.tolist() == [2, 1, 1, 0, 0]
    found = hubness(counts)
    away = np.array([2, 1, 1, 0, 0]) - 0.8
    assert found["skewness"] == pytest.approx((away**3).mean() / (away**2).mean() ** 1.5)
    assert found["found"] == 0.6 and found["most"] == 2
    unequal = np.abs(np.subtract.outer([2, 1, 1, 0, 0], [2, 1, 1, 0, 0])).mean() / (2 * 0.8)
    assert found["gini"] == pytest.approx(unequal)
    assert concentration(counts) == [(0.2, 0.5), (0.4, 0.75), (0.6, 1), (0.8, 1), (1, 1)]


def test_hubness_of_what_is_even_and_of_nothing():
    assert hubness(np.full(4, 3)) == {"skewness": 0, "found": 1, "gini": pytest.approx(0), "most": 3}
    assert hubness(np.zeros(4, np.int64)) == {"skewness": 0, "found": 0, "gini": 0, "most": 0}


def test_a_row_a_ranker(tmp_path, vectors):
    """Each of its own shards and run; and the same each time, byte by byte."""
    random, k = np.random.default_rng(2), 3
    parts = [store(tmp_path, "one", vectors, [90]), store(tmp_path, "two", random.normal(size=(ROWS, 4)), [10])]
    runs = []
    for name in ("one", "two"):
        passage = np.concatenate([random.permutation(ROWS)[:5] for _ in range(8)]).astype(np.int32)
        run = Run(np.arange(8, dtype=np.int32).repeat(5), passage, np.tile(-np.arange(5, dtype=np.float32), 8))
        runs.append((store_run(tmp_path, f"run-{name}", run), run))
    given = {"vectors": [path for part in parts for path in part.manifests], "runs": [path for path, _ in runs]}
    given["settings"] = {"rankers": ["one", "two"], "k": k}
    outputs = [call("analyses.health work", tmp_path / time / "manifest.json", **given) for time in ("a", "b")]
    table = pd.read_parquet(outputs[0].parent / "health.parquet").set_index("ranker")
    spectra = pd.read_parquet(outputs[0].parent / "spectrum.parquet")
    for (name, row), part, (_, run) in zip(table.iterrows(), parts, runs, strict=True):
        expected = spread(part)
        assert (row["dimension"], row["passages"]) == (part.dimension, ROWS)
        assert row["effective_rank"] == pytest.approx(expected.effective_rank) and row["cosine"] == expected.cosine
        assert row["found"] == len({*run.passage[run.rank <= k].tolist()}) / ROWS
        variances = spectra[spectra["ranker"] == name]["variance"].to_numpy()
        assert variances == pytest.approx(expected.variances, abs=1e-9) and len(variances) == part.dimension
    for name in ("health.parquet", "spectrum.parquet", "spectrum.svg", "hubs.svg"):
        assert len({(output.parent / name).read_bytes() for output in outputs}) == 1


# --- in a study ---------------------------------------------------------------------------------

STUDY = ("tables:", "analyses:\n  well: {kind: health, rankers: [zero, first], on: own/test}\ntables:")


def test_it_reads_the_models_vectors(tmp_path):
    graph = Graph(Config(study="s.yaml", shards=2), load(tmp_path, STUDY))
    of = [f"results/s/embeddings/{model}/own/corpus-{shard}of2.json" for model in ("co", "first") for shard in (0, 1)]
    runs = [f"results/s/runs/{name}/own.test.json" for name in ("zero", "first")]
    assert graph.analysis_inputs("well") == {"runs": runs, "vectors": of}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[zero, first]", "[zero, bm25]"), "rankers: 'bm25' searches no vectors; name a retriever"),
        (("[zero, first]", "[zero, late]"), "rankers: 'late' has a vector for each token; name a ranker that has one"),
        (("on: own/test}", "on: own/tst}"), "on: no judged split 'tst'; did you mean 'test'"),
        (("on: own/test}", "on: own/test, k: 2000}"), "k: 2000, but ranker 'zero' keeps 1000"),
    ],
)
def test_mistakes(tmp_path, change, message):
    late = ("  first:", "  late: {recipe: colbert, from: co, data: d, negatives: [bm25]}\n  first:")
    with pytest.raises(UserError) as error:
        load(tmp_path, STUDY, late, change)
    assert f"analyses.well.{message}" in str(error.value)
