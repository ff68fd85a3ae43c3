"""BM25 equals the textbook's, counted word by word."""

import math
import shutil
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.runs import read_run
from dewpoint.errors import UserError
from dewpoint.search import bm25
from programs import call, prepare, tables

SETTINGS = {"k1": 0.9, "b": 0.4, "title": True, "words": "standard", "stop_words": "english", "stemmer": "porter"}
# words that are their own stems
TITLES = ["", "apple", "", "fig", "", ""]
TEXTS = ["apple plum", "plum", "plum fig fig fig", "apple plum fig melon melon kiwi", "", "melon"]
QUERIES = ["apple fig", "melon", "plum plum kiwi", "durian", "the of", "apple durian"]


def textbook(documents: list[list[str]], query: list[str], k1: float, b: float) -> list[float]:
    """Σ ln(1 + (N - df + ½) / (df + ½)) · tf / (tf + k1 (1 - b + b |d| / average))."""
    average = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        counts, score = Counter(document), 0.0
        for word in query:
            df = sum(word in other for other in documents)
            norm = k1 * (1 - b + b * len(document) / average)
            if counts[word]:
                score += math.log(1 + (len(documents) - df + 0.5) / (df + 0.5)) * counts[word] / (counts[word] + norm)
        scores.append(score)
    return scores


def corpus(folder, texts, titles=None):
    """A dataset's manifest, its passages in row order."""
    shutil.rmtree(folder, ignore_errors=True)
    artifact = Artifact(folder / "manifest.json")
    writer = DatasetWriter(artifact)
    for row, text in enumerate(texts):
        writer.passage("here", f"p{row}", text, titles[row] if titles else "")
    for row, text in enumerate(QUERIES):
        writer.query("here", "test", f"q{row}", text)
    writer.finish()
    artifact.seal()
    return artifact.manifest


def build(manifest, batch=bm25.PASSAGES, **others):
    """The folder of an index."""
    artifact = Artifact(manifest.parent / "index" / "manifest.json", SETTINGS | others)
    bm25.build(artifact, Dataset(manifest), SimpleNamespace(**artifact.settings), batch)
    artifact.seal()
    return artifact.folder


def rows(run):
    return list(zip(run.query.tolist(), run.passage.tolist(), run.score.tolist(), strict=True))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("fruit") / "data", TEXTS, TITLES)


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.2, 0.75), (2.0, 0.0), (0.0, 1.0)])
@pytest.mark.parametrize("title", [True, False])
def test_scores_equal_the_textbooks(dataset, k1, b, title):
    run = bm25.search(bm25.load(build(dataset, k1=k1, b=b, title=title)), QUERIES, 10)
    documents = [f"{title * name} {text}".split() for name, text in zip(TITLES, TEXTS, strict=True)]
    for number, query in enumerate(QUERIES):
        scores = textbook(documents, query.split(), k1, b)
        expected = sorted((row for row, score in enumerate(scores) if score), key=lambda row: (-scores[row], row))
        mine = run.query == number
        assert run.passage[mine].tolist() == expected
        assert run.score[mine].tolist() == pytest.approx([scores[row] for row in expected], rel=1e-5)


WORD = st.sampled_from(["ace", "bid", "cob", "dim", "elk", "fur", "gap", "東", "мир"]) | st.just("ace")
TEXT = st.lists(WORD, max_size=8).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(TEXT, min_size=1, max_size=40),
    st.lists(TEXT, max_size=5),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 50),
)
def test_random_corpora(tmp_path_factory, texts, queries, depth, threads, block):
    """Scores are the textbook's; the best are those of a full sort; batches, blocks and threads change nothing."""
    manifest = corpus(tmp_path_factory.getbasetemp() / "random", ["gap", *texts])
    index = bm25.load(build(manifest, batch=len(texts) % 5 + 1))
    documents = [["gap"], *map(str.split, texts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25, "BLOCK", block)
        run = bm25.search(index, queries, depth, threads)
    everything = bm25.search(index, queries, len(documents))
    first = [row for number in range(len(queries)) for row in rows(everything) if row[0] == number]
    assert first == sorted(first, key=lambda row: (row[0], -row[2], row[1])) == rows(everything)
    assert rows(run) == [row for row, rank in zip(first, everything.rank, strict=True) if rank <= depth]
    blocks = [bm25.search(index, queries[at : at + 2], depth, first=at) for at in range(0, len(queries), 2)]
    assert [row for block in blocks for row in rows(block)] == rows(run)
    for number, query in enumerate(queries):
        scores = textbook(documents, query.split(), 0.9, 0.4)
        found = {passage: score for of, passage, score in first if of == number}
        assert found == pytest.approx({row: score for row, score in enumerate(scores) if score}, rel=1e-5)


@pytest.mark.parametrize("block", [64, 1000, bm25.BLOCK])
def test_many_passages_where_frequent_words_bring_none_in(tmp_path, monkeypatch, block):
    """Frequent words count only where others do once no other passage can come in; nothing changes by that."""
    random = np.random.default_rng(3)
    vocabulary = np.array([f"w{number}" for number in range(60)])
    share = 1 / np.arange(1, 61) / (1 / np.arange(1, 61)).sum()
    texts = [" ".join(random.choice(vocabulary, random.integers(1, 30), p=share)) for _ in range(1500)]
    folder = build(corpus(tmp_path / "data", texts), batch=700)
    index = bm25.load(folder)
    queries = [" ".join(random.choice(vocabulary, 5)) for _ in range(150)]
    everything = bm25.search(index, queries, 1500)
    documents = [text.split() for text in texts]
    monkeypatch.setattr(bm25, "BLOCK", block)
    for depth in (1, 10, 200):
        expected = [row for row, rank in zip(rows(everything), everything.rank, strict=True) if rank <= depth]
        assert rows(bm25.search(index, queries, depth, 2)) == expected
    of_first = everything.query == 0
    scores = textbook(documents, queries[0].split(), 0.9, 0.4)
    assert dict(zip(everything.passage[of_first].tolist(), everything.score[of_first].tolist(), strict=True)) == (
        pytest.approx({row: score for row, score in enumerate(scores) if score}, rel=1e-5)
    )


def test_an_index_does_not_depend_on_batches(dataset):
    hashes = {read_manifest(build(dataset, batch) / "manifest.json")["content"] for batch in (1, 2, 5, 100)}
    assert len(hashes) == 1


@pytest.mark.parametrize("block", [1, 4, 100])
def test_the_programs_give_the_same_run(dataset, tmp_path, monkeypatch, block):
    monkeypatch.setattr(bm25, "QUERIES", block)
    index = call("rankers.bm25 index", tmp_path / "index/manifest.json", SETTINGS, dataset=dataset)
    options = {"dataset": dataset, "index": index, "threads": 2}
    run = read_run(call("rankers.bm25 rank", tmp_path / "d.test.json", {"depth": 2, "split": "test"}, **options))
    assert rows(run) == rows(bm25.search(bm25.load(build(dataset)), QUERIES, 2))


def test_case_endings_and_stop_words_make_no_difference(dataset):
    index = bm25.load(build(dataset))
    assert rows(bm25.search(index, ["melon plum"], 9)) == rows(bm25.search(index, ["The Melons, and PLUMS!"], 9))


def test_queries_are_analysed_as_the_corpus_was(dataset):
    index = bm25.load(build(dataset, stemmer="none", stop_words="none"))
    assert rows(bm25.search(index, ["melons", "the"], 9)) == []


@pytest.mark.parametrize("depth", [1, 4, 9])
def test_equal_passages_rank_by_row_also_where_the_run_ends(tmp_path, depth):
    texts = ["apple fig" if row == 5 else "apple melon" for row in range(12)]
    index = bm25.load(build(corpus(tmp_path / "data", texts)))
    assert bm25.search(index, ["apple fig"], depth).passage.tolist() == [5, 0, 1, 2, 3, 4, 6, 7, 8][:depth]


def test_no_query_has_an_empty_run(dataset):
    assert rows(bm25.search(bm25.load(build(dataset)), [], 5)) == []


def test_a_corpus_without_a_word_is_a_mistake(tmp_path):
    manifest = prepare(tmp_path, tables(tmp_path, {"corpus.csv": "id,text\np1,the\np2,\n"}))
    with pytest.raises(UserError, match=r"manifest\.json: no passage holds a word to index$"):
        build(manifest)


def test_an_index_of_another_format_is_a_mistake(tmp_path):
    artifact = Artifact(tmp_path / "manifest.json", {"k1": 0.9, "b": 0.4})
    np.save(artifact.path("data.csc.index.npy"), np.zeros(3))
    artifact.seal()
    with pytest.raises(
        UserError, match=r"manifest\.json: has no file 'words\.npy', only data\.csc\.index\.npy; if .*, delete it and"
    ):
        bm25.load(tmp_path)


def test_an_index_that_was_cut_is_a_mistake(dataset):
    folder = build(dataset)
    (folder / "scores.npy").write_bytes((folder / "scores.npy").read_bytes()[:-4])
    with pytest.raises(UserError, match=r"scores\.npy: has 172 bytes, its manifest says 176 bytes; delete"):
        bm25.load(folder)
