"""Rankers that answer questions as they are typed: loaded once, then asked."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dewpoint.data.runs import Run

Timed = tuple[Run, dict[str, float]]  # a run of the questions, and how many seconds its parts took
Live = Callable[[list[str], int], Timed]  # questions, depth


@dataclass
class Dense:
    """Questions to vectors, vectors to passages."""

    encode: Callable[[list[str]], np.ndarray]
    search: Callable[[np.ndarray, int], Run]

    def __call__(self, questions: list[str], depth: int) -> Timed:
        began = time.perf_counter()
        vectors = self.encode(questions)
        encoded = time.perf_counter()
        run = self.search(vectors, depth)
        return run, {"encode": encoded - began, "search": time.perf_counter() - encoded}


def fused(parts: list[tuple[Live, int]], fuse: Callable[[list[Run]], Run]) -> Live:
    """Asks each of `parts` for as many passages as are given with it."""

    def rank(questions: list[str], depth: int) -> Timed:
        found = [part(questions, deep) for part, deep in parts]
        began = time.perf_counter()
        whole = fuse([run for run, _ in found])
        took = {"fuse": time.perf_counter() - began}
        for _, seconds in found:
            took |= {what: took.get(what, 0) + more for what, more in seconds.items()}
        kept = whole.rank <= depth
        return Run(whole.query[kept], whole.passage[kept], whole.score[kept]), took

    return rank
