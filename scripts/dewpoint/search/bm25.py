"""BM25 (Lucene's form) over title and text, English stop words and stemming."""

from pathlib import Path

import bm25s
import numpy as np
import Stemmer

from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run, ranked
from dewpoint.errors import UserError

STEMMER = Stemmer.Stemmer("english")


def build(dataset: Dataset, k1: float, b: float) -> bm25s.BM25:
    texts = []
    for batch in dataset.batches("corpus", ["title", "text"]):
        texts += [f"{t} {x}" for t, x in zip(batch["title"].to_pylist(), batch["text"].to_pylist(), strict=True)]
    words = tokens(texts)
    if not any(words):
        raise UserError(f"{dataset.manifest}: no passage holds a word to index")
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index(words, show_progress=False)
    return index


def load(folder: Path) -> bm25s.BM25:
    return bm25s.BM25.load(folder, mmap=True)


def search(index: bm25s.BM25, queries: list[str], depth: int) -> Run:
    """The best `depth` passages of every query; a passage that shares no word with it is none."""
    passages, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for words in tokens(queries):
        score = index.get_scores(words) if words else scores[0]
        passages.append(best(score, depth))
        scores.append(score[passages[-1]])
    query = np.repeat(np.arange(len(queries)), [len(found) for found in passages[1:]])
    return ranked(query, np.concatenate(passages), np.concatenate(scores), depth)


def best(score: np.ndarray, depth: int) -> np.ndarray:
    """The passages with the `depth` highest scores above zero; of equal ones at the end the first rows."""
    found = np.flatnonzero(score > 0)
    if len(found) <= depth:
        return found
    score = score[found]
    least = np.partition(score, -depth)[-depth]
    above = found[score > least]
    return np.concatenate([above, found[score == least][: depth - len(above)]])


def tokens(texts: list[str]) -> list[list[str]]:
    return bm25s.tokenize(texts, stopwords="en", stemmer=STEMMER, return_ids=False, show_progress=False)
