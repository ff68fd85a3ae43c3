"""Rankers that answer questions as they are typed: loaded once, then asked."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dewpoint.data.runs import Run

Timed = tuple[Run, dict[str, float]]  # a run of the questions, and how many seconds its parts took
Ranker = Callable[[list[str], int], Timed]  # questions, depth


def bm25_ranker(index: Path) -> Ranker:
    from dewpoint.search import bm25

    loaded = bm25.load(index.parent)

    def rank(questions: list[str], depth: int) -> Timed:
        began = time.perf_counter()
        return bm25.search(loaded, questions, depth), {"search": time.perf_counter() - began}

    return rank


@dataclass
class DenseRanker:
    """Questions to vectors, vectors to passages."""

    encode: Callable[[list[str]], np.ndarray]
    search: Callable[[np.ndarray, int], Run]

    def __call__(self, questions: list[str], depth: int) -> Timed:
        began = time.perf_counter()
        vectors = self.encode(questions)
        encoded = time.perf_counter()
        run = self.search(vectors, depth)
        return run, {"encode": encoded - began, "search": time.perf_counter() - encoded}


def dense_ranker(
    model: Path,
    corpus: list[Path],
    index: Path | None,
    parameters: dict[str, float],
    how,
    precision: str = "float32",
    device: str = "cpu",
) -> DenseRanker:
    """By an index, or by all vectors of the corpus; `how` says how long a query is, and what it begins with."""
    from dewpoint.search import indexes
    from dewpoint.search.encode import QuestionEncoder
    from dewpoint.search.vectors import Vectors

    encoder = QuestionEncoder(model.parent, how.query_length, how.query_prefix, precision, device)
    search = indexes.Searcher(index, parameters) if index else indexes.in_memory(Vectors(corpus))
    return DenseRanker(encoder, search)


def fused_ranker(parts: list[tuple[Ranker, int]], fuse: Callable[[list[Run]], Run]) -> Ranker:
    """Asks each of `parts` for as many passages as are given with it."""

    def rank(questions: list[str], depth: int) -> Timed:
        found = [part(questions, deep) for part, deep in parts]
        began = time.perf_counter()
        fused = fuse([run for run, _ in found])
        took = {"fuse": time.perf_counter() - began}
        for _, seconds in found:
            took |= {what: took.get(what, 0) + more for what, more in seconds.items()}
        kept = fused.rank <= depth
        return Run(fused.query[kept], fused.passage[kept], fused.score[kept]), took

    return rank
