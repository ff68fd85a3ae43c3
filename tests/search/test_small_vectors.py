"""Codes, first dimensions and candidates scored again: each equals a plain computation, and no passage is lost."""

from types import SimpleNamespace

import numpy as np
import pytest

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.runs import Run, ranked, read_run
from dewpoint.errors import UserError
from dewpoint.rankers._indexes import parameters as parameters_of
from dewpoint.rankers.dense import Dense
from dewpoint.search import codes, exact, rescoring
from dewpoint.search.vectors import Vectors
from programs import call
from stored import store

ROWS, ASKED, DEPTH = 900, 30, 20


@pytest.fixture(scope="module", params=[42, 48])  # bits of no whole number of bytes, and of one; FAISS has other code
def world(tmp_path_factory, request):
    """Passages that are not spread around zero, some of them alike, in shards; queries; models; what is exact."""
    folder, rng, dimension = tmp_path_factory.mktemp("small"), np.random.default_rng(0), request.param
    spectrum = 1 / np.sqrt(1 + np.arange(dimension))
    passages = (rng.standard_normal((ROWS, dimension)) * spectrum + 0.3 * rng.standard_normal(dimension)).astype("f2")
    passages[700:740], passages[:, 5] = passages[17], 0.25  # ties, and a dimension that says nothing
    corpus = store(folder, "corpus", passages, [200, 500])
    queries = store(folder, "queries", (rng.standard_normal((ASKED, dimension)) * spectrum).astype("f2"))
    models = {length: model(folder / f"model-{length}", length) for length in (True, False)}
    (best,) = exact.search(queries, corpus, DEPTH)
    return SimpleNamespace(corpus=corpus, queries=queries, best=best, models=models)


def model(folder, normalized: bool):
    artifact = Artifact(folder / "manifest.json")
    artifact.facts |= {"normalized": normalized}
    artifact.seal()
    return artifact.manifest


def made(world, folder, corpus: Vectors | None = None, normalized: bool = False, **keys):
    """The programs' index and run of a ranker with these keys; the ranker's settings of `live`."""
    ranker = Dense(kind="dense", model="m", **{"depth": DEPTH} | keys)
    config = SimpleNamespace(seed=1, threads=1)
    length = {"model": world.models[normalized]} if ranker.size else {}
    output, corpus = folder / "index" / "manifest.json", corpus or world.corpus
    pack, scan = (f"rankers.dense {ranker.function(stage)}" for stage in ("index", "rank"))
    index = call(pack, output, ranker.index_settings(config), corpus=corpus.manifests, **length)
    queries = world.queries.manifests[0]
    run = call(scan, folder / "d.test.json", ranker.rank_settings(None, "test"), queries=queries, index=index)
    asked = SimpleNamespace(parameters=SimpleNamespace(**parameters_of(ranker.index)), rescore=ranker.rescore)
    return SimpleNamespace(index=index, run=read_run(run), facts=read_manifest(index)["facts"], asked=asked)


# --- what codes stand for, by plain numpy -------------------------------------------------------


def as_int8(vectors: np.ndarray) -> np.ndarray:
    least, range = vectors.min(0).astype(float), np.ptp(vectors.astype(float), axis=0)
    code = np.floor(255 * (vectors - least) / np.where(range, range, 1))
    return least + range * (code + 0.5) / 255


def as_bits(vectors: np.ndarray) -> np.ndarray:
    found = np.empty(vectors.shape)
    for column, values in enumerate(vectors.astype(float).T):
        above = values > np.float32(values.mean())
        for side in (above, ~above):
            found[side, column] = values[side].mean() if side.any() else 0
    return found


def best(queries: np.ndarray, passages: np.ndarray, depth: int) -> Run:
    """By all products, in float64."""
    score = queries.astype(float) @ passages.astype(float).T
    query, passage = np.indices(score.shape)
    return ranked(query.ravel(), passage.ravel(), score.ravel().astype(np.float32), depth)


KINDS = {"float16": lambda vectors: vectors.astype("f2"), "int8": as_int8, "bits": as_bits}


@pytest.mark.parametrize("name", KINDS)
def test_search_of_codes_equals_a_search_of_what_they_stand_for(world, tmp_path, name):
    """Passages, order and scores; vectors that are alike rank by row. What answers at once finds the same."""
    stand_for = KINDS[name](world.corpus.all())
    expected, found = best(world.queries.all(), stand_for, DEPTH), made(world, tmp_path, index=name)
    blocks = [block for _, block in codes.Codes(found.index).blocks(400)]
    np.testing.assert_allclose(np.concatenate(blocks), stand_for, atol=1e-6)
    np.testing.assert_allclose(found.run.score, expected.score, rtol=1e-5, atol=1e-6)
    assert found.run.query.tolist() == expected.query.tolist()
    settled = np.abs(found.run.score - expected.score) < 1e-7  # what rounding leaves open may change places
    assert (found.run.passage == expected.passage)[settled].mean() > 0.99
    (again,) = exact.search(world.queries, codes.Codes(found.index), DEPTH, block=100)
    assert again.passage.tolist() == found.run.passage.tolist() and again.score.tolist() == found.run.score.tolist()
    live = rescoring.answering(lambda questions: questions, found.index, found.asked)
    run, took = live(world.queries.all(), DEPTH)
    np.testing.assert_allclose(run.score, expected.score, rtol=1e-4, atol=1e-5)
    assert took.keys() == {"encode", "search"}


def test_ties_among_codes_rank_by_passage_row(world, tmp_path):
    """41 passages are alike; a query that likes them gets those of the lowest rows."""
    liked = store(tmp_path, "liked", world.corpus.all()[[17]].astype("f2") - world.corpus.all().mean(0).astype("f2"))
    world = SimpleNamespace(**vars(world) | {"queries": liked})
    for name in KINDS:
        run = made(world, tmp_path / name, index=name).run
        same = [passage for passage in run.passage.tolist() if passage == 17 or 700 <= passage < 740]
        assert len(same) > 5 and same == [17, *range(700, 699 + len(same))]


def test_codes_take_the_room_that_they_say(world, tmp_path):
    many = store(tmp_path, "many", np.random.default_rng(1).standard_normal((20_000, 64)).astype("f2"))
    asked = store(tmp_path, "asked", np.ones((1, 64), "f2"))
    world = SimpleNamespace(**vars(world) | {"queries": asked})
    for name, each in (("float16", 128), ("int8", 64), ("bits", 8)):
        found = made(world, tmp_path / name, many, index=name, rescore=DEPTH)
        files = {path.name: path.stat().st_size for path in found.index.parent.iterdir() if path.suffix != ".json"}
        assert found.facts["bytes"] == files["index.faiss"] + files.get("levels.npy", 0)
        assert found.facts["bytes"] - each * len(many) < 70_000 + 1024  # a bit's table of signs is 1 KB a dimension
        assert found.facts["vectors_bytes"] == files["vectors.npy"] == pytest.approx(128 * len(many), abs=200)
        assert "20 candidates" in Dense(kind="dense", model="m", index=name, depth=2, rescore=20).built(
            found.facts, "d"
        )


# --- scored again -------------------------------------------------------------------------------

RESCORED = {
    "float16": {"index": "float16"},
    "int8": {"index": "int8"},
    "bits": {"index": "bits"},
    "pq": {"index": "PQ2x4"},
    "ivf": {"index": {"name": "ivf", "nlist": 8, "nprobe": 2}},
    "hnsw": {"index": {"name": "hnsw", "M": 4, "efConstruction": 16, "efSearch": 60}},
    "first dimensions": {"size": 8},
    "bits of the first": {"size": 8, "index": "bits"},
    "sq8 of the first": {"size": 8, "index": "sq8"},
}


def recall(world, run: Run, k: int) -> float:
    """Of the best k of exact search."""
    kept, best = (one.at(one.rank <= k) for one in (run, world.best))
    pairs = ({*zip(one.query.tolist(), one.passage.tolist(), strict=True)} for one in (kept, best))
    return len(set.intersection(*pairs)) / (k * ASKED)


@pytest.mark.parametrize("name", RESCORED)
def test_scoring_again_never_lowers_recall(world, tmp_path, name):
    """At no depth, and scores are those of exact search to the last bit; all candidates are no worse than some."""
    keys = RESCORED[name]
    without, some, all = (
        made(world, tmp_path / str(many), **keys, **{"rescore": many} if many else {}).run for many in (None, 60, ROWS)
    )
    for k in (1, 5, DEPTH):
        assert recall(world, without, k) <= recall(world, some, k) <= recall(world, all, k)
    queries, passages = world.queries.all(), world.corpus.all()
    assert some.score.tolist() == exact.products(queries, some.query, passages, some.passage).tolist()
    assert all.rank.max() == DEPTH
    if name not in ("ivf", "hnsw"):
        assert recall(world, without, DEPTH) < 1 or name == "float16"
        for column in ("query", "passage", "score"):
            assert getattr(all, column).tolist() == getattr(world.best, column).tolist()


@pytest.mark.parametrize("name", ["bits", "hnsw", "first dimensions"])
def test_a_question_is_scored_again_as_a_run_is(world, tmp_path, name):
    """Only of passages that are alike FAISS may find others."""
    found = made(world, tmp_path, **RESCORED[name], rescore=60)
    live = rescoring.answering(lambda questions: questions, found.index, found.asked)
    run, took = live(world.queries.all(), DEPTH)
    assert run.score.tolist() == found.run.score.tolist()
    alike = [np.where((one >= 700) & (one < 740), 17, one).tolist() for one in (run.passage, found.run.passage)]
    assert alike[0] == alike[1] and took.keys() == {"encode", "search", "score"}


def test_blocks_of_queries_and_an_interruption_change_nothing(world, tmp_path, monkeypatch):
    keys = {"index": "bits", "size": 16, "rescore": 60}
    whole = made(world, tmp_path / "whole", **keys)
    monkeypatch.setattr(exact, "HELD", 24 * 100 * 7)  # some seven queries at once
    settings, kept = SimpleNamespace(depth=DEPTH, rescore=60), tmp_path / "kept"
    first = next(rescoring.runs(whole.index, world.queries, settings, kept))
    assert 1 < len(np.unique(first.query)) < ASKED and any(kept.iterdir())
    parts = [*rescoring.runs(whole.index, world.queries, settings, kept)]
    assert len(parts) > 3
    for column in ("query", "passage", "score"):
        assert np.concatenate([getattr(part, column) for part in parts]).tolist() == getattr(whole.run, column).tolist()


# --- first dimensions ---------------------------------------------------------------------------


@pytest.mark.parametrize("normalized", [True, False])
def test_the_first_dimensions_are_searched_as_vectors_of_their_own(world, tmp_path, normalized):
    found = made(world, tmp_path, normalized=normalized, size=8)
    sides = [vectors.all()[:, :8].astype(float) for vectors in (world.queries, world.corpus)]
    if normalized:
        sides = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides]
    expected = best(*sides, DEPTH)
    assert (found.facts["size"], found.facts["normalized"], found.facts["dimension"]) == (8, normalized, 8)
    np.testing.assert_allclose(found.run.score, expected.score, rtol=1e-5, atol=1e-6)
    assert (found.run.passage == expected.passage).mean() > 0.97


def test_all_dimensions_are_exact_search(world, tmp_path):
    found = made(world, tmp_path, size=world.corpus.dimension).run
    for column in ("query", "passage", "score"):
        assert getattr(found, column).tolist() == getattr(world.best, column).tolist()


def test_a_model_that_is_not_trained_for_it_is_said(world, tmp_path, caplog):
    made(world, tmp_path, size=8)
    assert "model-False says nothing of vectors of 8 dimensions" in caplog.text


def test_more_dimensions_than_there_are(world, tmp_path):
    with pytest.raises(
        SystemExit, match=r"corpus-0of3.json: vectors have \d+ dimensions, but the first 49 are asked for"
    ):
        made(world, tmp_path, size=49)


# --- what cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rescore": 2000}, "flat search of whole vectors is exact already; name an index or a size"),
        ({"index": "int8", "rescore": 100}, "100 candidates, but 1000 are kept; take as many at least"),
        ({"index": "int9"}, "did you mean 'int8'"),
        ({"index": {"name": "bits", "sample": 9}}, "sample"),
        ({"size": 0}, "greater than or equal to 1"),
    ],
)
def test_mistakes_of_an_entry(keys, message):
    with pytest.raises(ValueError, match=message):
        Dense.model_validate({"kind": "dense", "model": "m"} | keys)


def test_an_index_whose_whole_vectors_are_cut_is_refused(world, tmp_path):
    found = made(world, tmp_path, index="bits", rescore=60)
    file = found.index.parent / "vectors.npy"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(UserError, match=r"vectors.npy: has [\d,]+ bytes, its manifest says [\d,]+ bytes"):
        next(rescoring.runs(found.index, world.queries, SimpleNamespace(depth=DEPTH, rescore=60)))


def test_queries_of_another_model_are_refused(world, tmp_path):
    found = made(world, tmp_path, index="bits")
    other = store(tmp_path, "other", np.ones((2, world.corpus.dimension), "f2"), model="second (def)")
    with pytest.raises(UserError, match=r"made by model second \(def\), but .*manifest.json by first"):
        next(rescoring.runs(found.index, other, SimpleNamespace(depth=DEPTH)))
