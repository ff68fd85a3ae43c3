"""BM25 (Lucene's form) over title and text, English stop words and stemming."""

from pathlib import Path

import bm25s
import numpy as np
import Stemmer

from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run, ranked

STEMMER = Stemmer.Stemmer("english")


def build(dataset: Dataset, k1: float, b: float) -> bm25s.BM25:
    texts = []
    for batch in dataset.batches("corpus", ["title", "text"]):
        texts += [f"{t} {x}" for t, x in zip(batch["title"].to_pylist(), batch["text"].to_pylist(), strict=True)]
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index(tokens(texts), show_progress=False)
    return index


def load(folder: Path) -> bm25s.BM25:
    return bm25s.BM25.load(folder, mmap=True)


def search(index: bm25s.BM25, queries: list[str], depth: int) -> Run:
    """The best `depth` passages of every query; a passage that shares no word with it is none."""
    words = tokens(queries)
    depth = min(depth, index.scores["num_docs"])
    passage, score = index.retrieve(words, k=depth, show_progress=False, n_threads=0)
    query = np.repeat(np.arange(len(queries)), depth)
    passage, score = passage.ravel(), score.ravel()
    found = score > 0
    return ranked(query[found], passage[found], score[found], depth)


def tokens(texts: list[str]) -> list[list[str]]:
    return bm25s.tokenize(texts, stopwords="en", stemmer=STEMMER, return_ids=False, show_progress=False)
