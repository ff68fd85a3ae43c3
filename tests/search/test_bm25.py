"""BM25 equals the textbook's, counted word by word."""

import math
from collections import Counter

import numpy as np
import pytest

from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import read_run
from dewpoint.errors import UserError
from dewpoint.search import bm25
from programs import call, prepare, tables

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


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fruit")
    corpus = "".join(f"{row}\t{title}\t{text}\n" for row, (title, text) in enumerate(zip(TITLES, TEXTS, strict=True)))
    queries = "".join(f"q{row}\t{text}\n" for row, text in enumerate(QUERIES))
    files = {"corpus.tsv": f"id\ttitle\ttext\n{corpus}", "queries.tsv": f"id\ttext\n{queries}"}
    return prepare(folder, tables(folder, files | {"judgements.csv": "query,passage\nq0,0\n"}))


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.2, 0.75), (2.0, 0.0)])
def test_scores_equal_the_textbooks(dataset, k1, b):
    run = bm25.search(bm25.build(Dataset(dataset), k1, b), QUERIES, 10)
    documents = [f"{title} {text}".split() for title, text in zip(TITLES, TEXTS, strict=True)]
    for number, query in enumerate(QUERIES):
        scores = textbook(documents, query.split(), k1, b)
        expected = sorted((row for row, score in enumerate(scores) if score), key=lambda row: (-scores[row], row))
        mine = run.query == number
        assert run.passage[mine].tolist() == expected
        assert run.score[mine].tolist() == pytest.approx([scores[row] for row in expected], rel=1e-5)


def test_the_programs_give_the_same_run(dataset, tmp_path):
    index = call("bm25", tmp_path / "index/manifest.json", {"k1": 0.9, "b": 0.4}, dataset=dataset)
    options = {"dataset": dataset, "index": index}
    run = read_run(call("rank_bm25", tmp_path / "d.test.json", {"depth": 2, "split": "test"}, **options))
    expected = bm25.search(bm25.build(Dataset(dataset), 0.9, 0.4), QUERIES, 2)
    assert run.passage.tolist() == expected.passage.tolist()
    assert run.score.tolist() == expected.score.tolist()


def test_case_endings_and_stop_words_make_no_difference(dataset):
    index = bm25.build(Dataset(dataset), 0.9, 0.4)
    one, two = bm25.search(index, ["melon plum"], 9), bm25.search(index, ["The Melons, and PLUMS!"], 9)
    assert (one.passage.tolist(), one.score.tolist()) == (two.passage.tolist(), two.score.tolist())


@pytest.mark.parametrize("depth", [1, 4, 9])
def test_equal_passages_rank_by_row_also_where_the_run_ends(tmp_path, depth):
    corpus = "id,text\n" + "".join(f"p{row},{'apple fig' if row == 5 else 'apple melon'}\n" for row in range(12))
    index = bm25.build(Dataset(prepare(tmp_path, tables(tmp_path, {"corpus.csv": corpus}))), 0.9, 0.4)
    assert bm25.search(index, ["apple fig"], depth).passage.tolist() == [5, 0, 1, 2, 3, 4, 6, 7, 8][:depth]


def test_no_query_has_an_empty_run(dataset):
    run = bm25.search(bm25.build(Dataset(dataset), 0.9, 0.4), [], 5)
    assert [len(column) for column in (run.query, run.passage, run.score)] == [0, 0, 0]


def test_a_corpus_without_a_word_is_a_mistake(tmp_path):
    manifest = prepare(tmp_path, tables(tmp_path, {"corpus.csv": "id,text\np1,the\np2,\n"}))
    with pytest.raises(UserError, match=r"manifest\.json: no passage holds a word to index$"):
        bm25.build(Dataset(manifest), 0.9, 0.4)


def test_best_equals_a_full_sort():
    rng = np.random.default_rng(0)
    for depth in (1, 5, 40, 100):
        score = rng.integers(0, 6, 60).astype(np.float32)
        expected = sorted(np.flatnonzero(score), key=lambda row: (-score[row], row))[:depth]
        assert sorted(bm25.best(score, depth).tolist()) == sorted(expected)
