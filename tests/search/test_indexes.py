"""Approximate indexes: they find what exact search finds as far as they should, and refuse what does not belong."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from dewpoint.artifact import read_manifest
from dewpoint.data.runs import read_run
from dewpoint.errors import UserError
from dewpoint.rankers._indexes import parameters as parameters_of
from dewpoint.rankers.dense import Dense
from dewpoint.search import exact, indexes
from programs import call
from stored import store

ROWS, DIMENSION = 700, 32


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Passages of different lengths, in three shards, and queries; what exact search finds."""
    folder, rng = tmp_path_factory.mktemp("vectors"), np.random.default_rng(0)
    passages = rng.standard_normal((ROWS, DIMENSION)) * rng.uniform(0.8, 1.25, (ROWS, 1))
    corpus = store(folder, "corpus", passages.astype(np.float16), [200, 500])
    queries = store(folder, "queries", rng.standard_normal((40, DIMENSION)).astype(np.float16))
    (best,) = exact.search(queries, corpus, 10)
    return SimpleNamespace(folder=folder, corpus=corpus, queries=queries, best=best)


def ranker(index) -> Dense:
    return Dense(kind="dense", model="m", index=index)


def wanted(index) -> dict:
    """The settings that an index is built with."""
    return ranker(index).index_settings(SimpleNamespace(seed=1, threads=1))


def built(world, folder, index, **parameters):
    """The programs' manifest of an index, and their run."""
    output, corpus = folder / "index" / "manifest.json", world.corpus.manifests
    manifest = call("rankers.dense index", output, wanted(index), corpus=corpus)
    settings = {"depth": 10, "parameters": parameters_of(ranker(index).index) | parameters}
    return manifest, call(
        "rankers.dense probe", folder / "d.test.json", settings, queries=world.queries.manifests[0], index=manifest
    )


def share(world, run) -> float:
    pairs = set(zip(run.query.tolist(), run.passage.tolist(), strict=True))
    return len(pairs & set(zip(world.best.query.tolist(), world.best.passage.tolist(), strict=True))) / 400


@pytest.mark.parametrize(
    "index", [{"name": "hnsw", "efSearch": ROWS}, "Flat", {"name": "ivf", "nlist": 8, "nprobe": 8}]
)
def test_an_index_that_looks_everywhere_is_exact(world, tmp_path, index):
    """Inner product over a graph, too: passages, their order, and scores."""
    run = read_run(built(world, tmp_path, index)[1])
    assert run.query.tolist() == world.best.query.tolist()
    assert run.passage.tolist() == world.best.passage.tolist()
    np.testing.assert_allclose(run.score, world.best.score, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("index", "name", "least"),
    [
        ("hnsw", "HNSW32,Flat", 0.95),
        ({"name": "hnsw", "M": 4, "efConstruction": 16, "efSearch": 16}, "HNSW4,Flat", 0.15),
        ("sq8", "SQ8", 0.9),
        ("ivf", "IVF64,Flat", 0.7),
        ("pq", "PQ4", 0.1),
        ({"name": "ivf-pq", "nlist": 4, "bytes": 2}, "IVF4,PQ2", 0.05),
        ("HNSW16,SQ8", "HNSW16,SQ8", 0.4),
        ("PCA16,IVF4,SQ8", "PCA16,IVF4,SQ8", 0.1),
    ],
)
def test_every_index_by_its_name(world, tmp_path, index, name, least):
    manifest, run = built(world, tmp_path, index)
    facts = read_manifest(manifest)["facts"]
    assert (facts["factory"], facts["passages"], facts["model"]) == (name, ROWS, "first (abc)")
    assert facts["bytes"] == (manifest.parent / "index.faiss").stat().st_size
    found = read_run(run)
    assert share(world, found) >= least
    assert (np.bincount(found.query) == 10).all() and found.passage.max() < ROWS


def test_one_seed_trains_one_index(world, tmp_path):
    """On a sample of the passages; another seed draws another."""
    index = {"name": "ivf", "nlist": 8, "sample": 320}
    files = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        settings = wanted(index) | {"seed": seed}
        output = tmp_path / name / "manifest.json"
        manifest = call("rankers.dense index", output, settings, corpus=world.corpus.manifests)
        files.append((manifest.parent / "index.faiss").read_bytes())
    assert files[0] == files[1] != files[2]


def test_more_is_looked_at_when_more_is_asked(world, tmp_path):
    manifest, _ = built(world, tmp_path, {"name": "ivf", "nlist": 32})
    shares = []
    for probes in (1, 4, 32):
        (run,) = indexes.Searcher(manifest, {"nprobe": probes}).runs(world.queries, 10)
        shares.append(share(world, run))
    assert shares[0] < shares[1] < shares[2] == 1


@pytest.mark.parametrize(
    ("passages", "dimension", "name"),
    [
        (13_000, 384, "IVF256,PQ64"),
        (1_000_000, 768, "IVF2048,PQ128"),
        (8_841_823, 312, "IVF8192,PQ8"),
        (3, 1, "IVF4,PQ1"),
    ],
)
def test_what_is_left_out_suits_the_corpus(passages, dimension, name):
    assert indexes.factory(SimpleNamespace(**wanted("ivf-pq")["index"]), passages, dimension) == name


def test_an_index_of_another_model_is_refused(world, tmp_path):
    manifest, _ = built(world, tmp_path, "Flat")
    queries = store(tmp_path, "other", np.ones((2, DIMENSION), np.float16), model="second (def)")
    with pytest.raises(UserError, match=r"other-0of1.json: made by model second \(def\), but .*manifest.json by first"):
        list(indexes.Searcher(manifest, {}).runs(queries, 5))


def test_a_truncated_index_is_refused(world, tmp_path):
    manifest, _ = built(world, tmp_path, "Flat")
    copy = shutil.copytree(manifest.parent, tmp_path / "copy") / "manifest.json"
    file = copy.parent / "index.faiss"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(
        UserError, match=r"index.faiss: has [\d,]+ bytes, its manifest says [\d,]+ bytes; delete .*json"
    ):
        indexes.Searcher(copy, {})


def test_a_search_parameter_that_the_index_has_not(world, tmp_path):
    manifest, _ = built(world, tmp_path, "Flat")
    with pytest.raises(UserError, match=r"manifest.json: index Flat has no search parameter 'nprbe'$"):
        indexes.Searcher(manifest, {"nprbe": 3})


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("Nonsense7", "could not parse index string Nonsense7"),
        ({"name": "pq", "bytes": 5}, "The dimension of the vector (d) should be a multiple"),
        ({"name": "pq", "bytes": 4, "sample": 50}, "Number of training points (50) should be at least"),
    ],
)
def test_what_faiss_cannot_build_is_one_line(world, tmp_path, index, message):
    with pytest.raises(SystemExit) as exit:
        call("rankers.dense index", tmp_path / "manifest.json", wanted(index), corpus=world.corpus.manifests)
    said = str(exit.value)
    assert said.startswith("error: index ") and f"of {ROWS} passages, {DIMENSION} dimensions: {message}" in said
    assert len(said.splitlines()) == 1


def test_a_lengthened_passage_keeps_its_inner_products():
    rng = np.random.default_rng(2)
    passages, query = rng.standard_normal((9, 5)).astype(np.float32), rng.standard_normal(5).astype(np.float32)
    longest = float((passages**2).sum(1).max())
    longer = indexes.lengthened(passages, longest)
    np.testing.assert_allclose((longer**2).sum(1), longest, rtol=1e-6)
    distance = ((longer - np.append(query, 0)) ** 2).sum(1)
    np.testing.assert_allclose((query @ query + longest - distance) / 2, passages @ query, rtol=1e-5, atol=1e-5)


def test_vectors_in_memory_give_what_exact_search_gives(world):
    run = indexes.in_memory(world.corpus)(world.queries.all(), 10)
    assert run.passage.tolist() == world.best.passage.tolist()


def test_an_artifact_is_made_whole(world, tmp_path):
    """Nothing is left of an index that could not be built."""
    with pytest.raises(SystemExit):
        output = tmp_path / "i" / "manifest.json"
        call("rankers.dense index", output, wanted("Nonsense7"), corpus=world.corpus.manifests)
    assert not any((tmp_path / "i").iterdir())
