"""Late interaction: token vectors written and read again in blocks of any size, and exact max-sim over them."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dewpoint.data.runs import Run, ranked, read_run
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Texts
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder
from dewpoint.models.encoder import TOKENS, Encoder
from dewpoint.rankers.late_interaction import LateInteraction
from dewpoint.search import encode as encoding
from dewpoint.search import exact, late, vectors
from dewpoint.search.encode import encode
from dewpoint.search.vectors import Vectors, VectorWriter
from models.families import make
from programs import call
from ragged import ragged
from stored import change, sealed, store, store_several


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A tiny random BERT that gives a vector a token."""
    folder = make("bert", tmp_path_factory.mktemp("bert"))
    made = Encoder(load_encoder(folder))
    made.set_output(TOKENS, True, SimpleNamespace(size=6, norm=False))
    made.special = {name: getattr(load_tokenizer(folder), f"{name}_token_id") for name in ("cls", "sep", "pad")}
    return made.eval()


def texts(count: int, seed: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.integers(5, 60, random.integers(0, 14)).tolist() for _ in range(count)]


def encoded(folder, name: str, encoder, lists, type="float32") -> Vectors:
    def write(path, first, end):
        encode(encoder, Texts([ragged(lists)], 12), np.arange(first, end), encoder.special, path, type)

    return sealed(folder, name, len(lists), encoder.dimension, [len(lists) // 3], write)


def one_by_one(encoder, lists) -> list[np.ndarray]:
    found = []
    for tokens in lists:
        ids = torch.tensor([[encoder.special["cls"], *tokens[:10], encoder.special["sep"]]])
        with torch.no_grad():
            hidden = encoder.projection(encoder.backbone(ids).last_hidden_state[0])
        found.append((hidden / hidden.norm(dim=1, keepdim=True)).numpy())
    return found


def slow(query: np.ndarray, passage: np.ndarray) -> float:
    """The sum over a query's vectors of the largest product with any of the passage's."""
    return sum(max(float(np.dot(one.astype(np.float64), other)) for other in passage) for one in query)


def oracle(queries, corpus, depth):
    for query, asked in enumerate(queries):
        scores = np.array([slow(asked, shown) for shown in corpus], np.float32)
        for passage in np.lexsort([np.arange(len(scores)), -scores])[:depth]:
            yield query, int(passage), scores[passage]


def rows(runs):
    return [row for run in runs for row in zip(run.query.tolist(), run.passage.tolist(), run.score, strict=True)]


def apart(stored: Vectors, size=None) -> list[np.ndarray]:
    """Each text's vectors; the blocks follow each other."""
    found = []
    for first, block, offsets in stored.token_blocks(size):
        assert first == len(found) and offsets[0] == 0 and offsets[-1] == len(block)
        assert size is None or len(block) <= size or len(offsets) == 2
        found += np.split(block.copy(), offsets[1:-1])
    return found


@pytest.mark.parametrize("size", [1, 7, 40, None])
@pytest.mark.parametrize("held", [1, 400, 2**28])
def test_texts_to_vectors_of_their_tokens_and_to_the_best_passages(encoder, tmp_path, monkeypatch, size, held):
    """Padding, batches, windows, row groups, shards and blocks have no part in it."""
    monkeypatch.setattr(encoding, "HELD", held)
    monkeypatch.setattr(encoding, "BATCH_TOKENS", {"cpu": 50})
    monkeypatch.setattr(vectors, "GROUP", 12 * held)
    monkeypatch.setattr(late, "MULTIPLIED", 30)
    asked, shown = texts(5, 1), texts(30, 2)
    queries, corpus = encoded(tmp_path, "q", encoder, asked), encoded(tmp_path, "c", encoder, shown)
    for stored, lists in ((queries, asked), (corpus, shown)):
        assert stored.several and len(stored) == len(lists)
        for got, expected in zip(apart(stored, size), one_by_one(encoder, lists), strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-5)
    assert rows(late.search(queries, corpus, 4, size)) == list(oracle(apart(queries), apart(corpus), 4))


VALUES = {"whole": st.integers(-2, 2).map(float), "any": st.floats(-8, 8, width=16)}  # whole numbers tie often


@st.composite
def several(draw, most):
    counts = draw(st.lists(st.integers(1, 6), min_size=1, max_size=most))
    values = VALUES[draw(st.sampled_from(sorted(VALUES)))]
    flat = draw(st.lists(values, min_size=3 * sum(counts), max_size=3 * sum(counts)))
    return np.array(flat, np.float16).reshape(-1, 3), np.array(counts)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several(5), several(20), st.integers(1, 22), st.integers(1, 30), st.integers(9, 60), st.integers(1, 30))
def test_search_equals_a_slow_loop(tmp_path_factory, queries, corpus, depth, block, group, multiplied):
    folder = tmp_path_factory.mktemp("late")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "GROUP", 6 * group)
        patch.setattr(late, "MULTIPLIED", multiplied)
        asked, shown = store_several(folder, "q", *queries), store_several(folder, "c", *corpus)
        found = rows(late.search(asked, shown, depth, block))
    parts = [np.split(flat.astype(np.float64), np.cumsum(counts)[:-1]) for flat, counts in (queries, corpus)]
    assert found == list(oracle(*parts, depth))


def test_row_groups_are_of_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "GROUP", 2 * 3 * 10)
    counts = np.array([3, 3, 3, 3, 25, 1, 9])
    stored = store_several(tmp_path, "c", np.ones((counts.sum(), 3), np.float16), counts)
    file = pq.ParquetFile(stored.files[0])
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [3, 1, 1, 2]


def test_one_vector_is_not_several(tmp_path):
    single = store(tmp_path, "one", np.ones((3, 2), np.float16))
    many = store_several(tmp_path, "many", np.ones((4, 2), np.float16), np.array([1, 3]))
    assert many.several and not single.several
    with pytest.raises(UserError, match=r"many-0of1.json: has several vectors a text, but one a text is needed here"):
        list(exact.search(single, many, 1))
    with pytest.raises(UserError, match=r"one-0of1.json: has one vector a text, but several a text is needed here"):
        list(late.search(many, single, 1))
    change(many.manifests[0], of=5)
    change(single.manifests[0], first=2, of=5)
    with pytest.raises(UserError, match=r"one-0of1.parquet: has vector, but .*many-0of1.parquet has vectors; encode"):
        Vectors([*many.manifests, *single.manifests])


def test_a_text_without_vectors_is_refused(tmp_path):
    with (
        VectorWriter(tmp_path / "v.parquet", 2, "float16", several=True) as file,
        pytest.raises(UserError, match=r"v.parquet: text 1 of a window has no vector"),
    ):
        file.write_several(np.ones((3, 2), np.float16), np.array([2, 0, 1]))


def test_vectors_of_tokens_that_do_not_fit_are_refused(tmp_path):
    with (
        VectorWriter(tmp_path / "v.parquet", 2, "float16", several=True) as file,
        pytest.raises(UserError, match=r"v.parquet: the model gives vectors that float16 cannot hold"),
    ):
        file.write_several(np.full((3, 2), np.inf, np.float16), np.array([2, 1]))


# --- by an index --------------------------------------------------------------------------------


def near(corpus: np.ndarray, candidates: int):
    """The nearest vectors of all, one after another."""
    return lambda asked: late_run(asked.astype(np.float64) @ corpus.astype(np.float64).T, candidates)


def late_run(products: np.ndarray, depth: int) -> Run:
    query, passage = (axis.ravel() for axis in np.indices(products.shape))
    return ranked(query, passage, products.ravel().astype(np.float32), depth)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several(5), several(20), st.integers(1, 22), st.integers(1, 30), st.integers(1, 60))
def test_candidates_are_the_passages_of_near_vectors_and_scores_exact(
    tmp_path_factory, queries, corpus, depth, block, candidates
):
    folder = tmp_path_factory.mktemp("late")
    asked, shown = store_several(folder, "q", *queries), store_several(folder, "c", *corpus)
    nearest = near(corpus[0], candidates)
    found = rows(late.probe(asked, shown, nearest, corpus[1], depth, block))
    of_passage, of_query = (np.repeat(np.arange(len(counts)), counts) for counts in (corpus[1], queries[1]))
    run = nearest(queries[0])
    proposed = {(of_query[one], of_passage[other]) for one, other in zip(run.query, run.passage, strict=True)}
    parts = [np.split(flat.astype(np.float64), np.cumsum(counts)[:-1]) for flat, counts in (queries, corpus)]
    everything = [row for row in oracle(*parts, len(corpus[1])) if row[:2] in proposed]
    kept = [row for at, row in enumerate(everything) if sum(row[0] == other[0] for other in everything[:at]) < depth]
    assert found == kept


@pytest.mark.parametrize("index", [{"name": "ivf", "nlist": 3, "nprobe": 3}, "HNSW8,Flat"], ids=["ivf", "hnsw"])
def test_an_index_of_all_vectors_is_built_and_searched(tmp_path, index):
    """It finds all vectors here, so what it proposes is everything."""
    random, counts = np.random.default_rng(1), np.random.default_rng(2).integers(1, 6, 30)
    shown = store_several(tmp_path, "c", random.normal(size=(counts.sum(), 8)).astype("f2"), counts, [11])
    asked = store_several(tmp_path, "q", random.normal(size=(9, 8)).astype("f2"), np.array([2, 3, 4]))
    wanted = LateInteraction(kind="late-interaction", model="m", index=index, candidates=1000, depth=7)
    config = SimpleNamespace(seed=1, threads=1)
    built = call(
        "rankers.late_interaction index",
        tmp_path / "index" / "manifest.json",
        wanted.index_settings(config),
        corpus=shown.manifests,
    )
    facts = json.loads(built.read_text())["facts"]
    assert (facts["passages"], facts["vectors"]) == (30, counts.sum())
    run = call(
        "rankers.late_interaction probe",
        tmp_path / "d.test.json",
        wanted.rank_settings(None, "test"),
        queries=asked.manifests[0],
        corpus=shown.manifests,
        index=built,
    )
    assert rows([read_run(run)]) == rows(late.search(asked, shown, 7))
