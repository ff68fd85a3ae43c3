"""Exact search equals a full sort of exact scores, ties included, however it is done."""

import sys
import tempfile
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dewpoint.errors import UserError
from dewpoint.search import exact
from dewpoint.search.vectors import Vectors
from stored import change, store

NEAREST = {"faiss": exact.by_faiss, "torch": exact.by_torch}
VALUES = {  # whole numbers tie often; halves of any size round in float32
    "whole": st.integers(-3, 3).map(float),
    "any": st.floats(-8, 8, width=16),
}


def oracle(queries: np.ndarray, corpus: np.ndarray, depth: int):
    """(query, passage, score) of each query's best, from all scores in float64."""
    scores = (queries.astype(np.float64) @ corpus.astype(np.float64).T).astype(np.float32)
    for query, row in enumerate(scores):
        for passage in np.lexsort([np.arange(len(row)), -row])[:depth]:
            yield query, int(passage), row[passage]


def rows(runs):
    return [row for run in runs for row in zip(run.query.tolist(), run.passage.tolist(), run.score, strict=True)]


@st.composite
def problems(draw):
    dimension, values = draw(st.integers(1, 20)), VALUES[draw(st.sampled_from(sorted(VALUES)))]
    count = draw(st.integers(1, 60))
    corpus = draw(arrays.arrays(np.float16, (count, dimension), elements=values))
    if draw(st.booleans()):  # the same few vectors again and again
        corpus = corpus[draw(arrays.arrays(np.int64, 120, elements=st.integers(0, min(4, count - 1))))]
    queries = draw(arrays.arrays(np.float16, (draw(st.integers(1, 9)), dimension), elements=values))
    bounds = draw(st.sets(st.integers(1, len(corpus)).filter(lambda at: at < len(corpus)), max_size=4))
    return queries, corpus, bounds


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    problems(),
    st.integers(1, 70),
    st.integers(1, 50),
    st.sampled_from(sorted(NEAREST)),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_search_equals_a_full_sort(problem, depth, block, nearest, threads, spare):
    queries, corpus, bounds = problem
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "SPARE", spare)  # so that small problems need a thorough look, too
        patch.setattr(exact, "HELD", 24 * 40 * 4)  # and several blocks of queries
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        asked, passages = (
            store(Path(folder), name, v, b) for name, v, b in [("q", queries, ()), ("c", corpus, bounds)]
        )
        found = rows(exact.search(asked, passages, depth, NEAREST[nearest], block))
        faiss.omp_set_num_threads(before)
    assert found == list(oracle(queries, corpus, depth))


def test_real_sized_vectors_need_no_thorough_look(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    corpus, queries = (rng.standard_normal((n, 384)).astype(np.float16) for n in (20_000, 50))
    monkeypatch.setattr(exact, "thorough", None)
    found = rows(exact.search(store(tmp_path, "q", queries), store(tmp_path, "c", corpus, [7_000]), 100, block=3_000))
    assert found == list(oracle(queries, corpus, 100))


@pytest.mark.parametrize("nearest", NEAREST)
def test_more_equal_passages_than_candidates(tmp_path, nearest):
    corpus = np.ones((5_000, 16), np.float16)
    corpus[4_321] = 2
    found = rows(
        exact.search(*(store(tmp_path, n, v) for n, v in [("q", corpus[:3]), ("c", corpus)]), 10, NEAREST[nearest], 512)
    )
    assert [passage for _, passage, _ in found] == [4_321, *range(9)] * 3


def test_torch_searches_where_faiss_is_not_installed(monkeypatch):
    assert exact.pick() is exact.by_faiss
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert exact.pick() is exact.by_torch


def test_vectors_that_are_much_alike_need_no_thorough_look(tmp_path, monkeypatch):
    """As those of a BERT that nobody has trained to retrieve; float32 could not tell them apart where they lie."""
    rng = np.random.default_rng(3)
    apart = rng.standard_normal((4_000, 64)) / 50
    corpus, queries = (apart + 3 * rng.standard_normal(64)).astype(np.float16), apart[:40].astype(np.float16) + 3
    monkeypatch.setattr(exact, "thorough", None)
    found = rows(exact.search(store(tmp_path, "q", queries), store(tmp_path, "c", corpus), 100))
    assert found == list(oracle(queries, corpus, 100))


def test_vectors_in_float32_are_searched_as_exactly(tmp_path):
    rng = np.random.default_rng(1)
    corpus, queries = (rng.standard_normal((n, 24)).astype(np.float32) for n in (900, 20))
    found = rows(exact.search(store(tmp_path, "q", queries), store(tmp_path, "c", corpus), 50))
    assert found == list(oracle(queries, corpus, 50))


def test_queries_of_another_model_are_refused(tmp_path):
    vectors = np.ones((3, 2), np.float16)
    queries, corpus = store(tmp_path, "q", vectors, model="second (def)"), store(tmp_path, "c", vectors)
    with pytest.raises(
        UserError, match=r"q-0of1.json: made by model second \(def\), but .*c-0of1.json by first \(abc\); "
    ):
        list(exact.search(queries, corpus, 1))


def test_shards_must_be_whole_of_one_model_and_complete(tmp_path):
    vectors = np.ones((10, 2), np.float16)
    shards = store(tmp_path, "c", vectors, [3, 6]).manifests
    with pytest.raises(UserError, match=r"c-1of3.json: ends at row 6 of 10; name all shards$"):
        Vectors(shards[:2])
    with pytest.raises(UserError, match=r"c-2of3.json: begins at row 6, but row 3 comes next$"):
        Vectors([shards[0], shards[2]])
    file = shards[1].with_suffix(".parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(
        UserError, match=r"c-1of3.parquet: has \d+ bytes, its manifest says \d+ bytes; delete .*c-1of3.json"
    ):
        Vectors(shards)
    file.write_bytes(whole)
    change(shards[2], model="second (def)")
    with pytest.raises(
        UserError, match=r"c-2of3.json: made by model second \(def\), but .*c-0of3.json by first \(abc\)"
    ):
        Vectors(shards)


@pytest.mark.parametrize(
    ("type", "told"), [("float16", "config.yaml's vectors: float32 may hold them"), ("float32", "")]
)
def test_vectors_that_do_not_fit_are_refused(tmp_path, type, told):
    from dewpoint.search.vectors import VectorWriter

    with VectorWriter(tmp_path / "v.parquet", 2, type) as file, pytest.raises(UserError, match=f"cannot hold.*{told}$"):
        file.write(np.array([[np.inf, 1]], type))


def test_blocks_of_queries_that_are_done_are_not_searched_for_again(tmp_path, monkeypatch):
    """Also where one was cut by the end of what wrote it."""
    rng = np.random.default_rng(5)
    corpus, queries = (rng.standard_normal((n, 8)).astype(np.float16) for n in (50, 23))
    asked, passages = store(tmp_path, "q", queries), store(tmp_path, "c", corpus)
    monkeypatch.setattr(exact, "HELD", 24 * 43 * 4)  # 4 queries at once
    search_block, work = exact.search_block, tmp_path / "work"
    searched = []

    def search(stop: int = 1000):
        def block(*of):
            searched.append(len(of[0]))
            if len(searched) > stop:
                raise KeyboardInterrupt
            return search_block(*of)

        searched.clear()
        monkeypatch.setattr(exact, "search_block", block)
        return rows(exact.search(asked, passages, 10, workspace=work))

    with pytest.raises(KeyboardInterrupt):
        search(stop=3)
    first, *_ = sorted(work.iterdir())
    first.write_bytes(first.read_bytes()[:-9])
    assert search() == list(oracle(queries, corpus, 10))
    assert searched == [4, 4, 4, 3]
    assert search() == list(oracle(queries, corpus, 10)) and not searched


def test_a_single_block_is_not_kept(tmp_path):
    vectors = np.eye(5, dtype=np.float16)
    asked, passages = store(tmp_path, "q", vectors), store(tmp_path, "c", vectors)
    assert rows(exact.search(asked, passages, 2, workspace=tmp_path / "work"))
    assert not (tmp_path / "work").exists()
