"""Tuning: the weights of a fusion that give the best metric on judged queries, found by trying all on a grid."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np

from dewpoint.data.runs import Run, find, pair_numbers, ranked
from dewpoint.evaluation.metrics import Judgements, Ranks, evaluate
from dewpoint.search.fusion import Candidates, candidates


def grid(rankers: int, steps: int) -> list[list[float]]:
    """All weights that are multiples of 1 / steps and sum to 1: the most even first, then by larger first weights."""
    bars = combinations(range(steps + rankers - 1), rankers - 1)
    parts = [np.diff([-1, *places, steps + rankers - 1]) - 1 for places in bars]
    parts.sort(key=lambda part: (part @ part, (-part).tolist()))
    return [[int(number) / steps for number in part] for part in parts]


def tune(blocks: Iterable[list[Run]], judged: Judgements, weights: list[list[float]], settings) -> np.ndarray:
    """The metric of each weights' fusion, on average over the judged queries; runs come in blocks of queries."""
    queries, total = np.unique(judged.query), np.zeros(len(weights))
    value = of_passages if judged.documents is None else of_documents
    for runs in blocks:
        found = candidates([_of(run, queries) for run in runs], settings)
        total += value(found, judged.part(np.isin(judged.query, found.query)), weights, settings)
    return (total / len(queries)).round(12)  # equal is equal, in whatever order it was summed


def of_passages(found: Candidates, judged: Judgements, weights: list[list[float]], settings) -> np.ndarray:
    """The metric's sum over queries; candidates are not sorted, each weights' scores only give positives a rank."""
    judged = judged.part((judged.grade > 0) | (judged.grade >= judged.relevant))
    queries, number = np.unique(judged.query, return_inverse=True)
    rows, at = locate(found, judged.query, judged.passage)
    total = np.zeros(len(weights))
    of = Ranks(number, judged.grade, np.zeros(len(number), np.int64), judged.relevant, len(queries))
    if len(rows):
        places = Places(found.query, at)
        for tried, weight in enumerate(weights):
            of.rank[rows] = places.ranks(found.scores(weight))
            total[tried] = of.value(settings.metric).sum()
    return total


def of_documents(found: Candidates, judged: Judgements, weights: list[list[float]], settings) -> np.ndarray:
    """The same where documents are judged: each weights' fusion is made, to any depth."""
    runs = (ranked(found.query, found.passage, found.scores(weight), len(found.query)) for weight in weights)
    return np.array([evaluate(run, judged, [settings.metric]).to_numpy().sum() for run in runs])


def locate(found: Candidates, query: np.ndarray, passage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(which of some pairs are candidates, which candidates they are)."""
    return find(*pair_numbers((found.query, found.passage), (query, passage)))


class Places:
    """The ranks of some candidates among their query's, for many scores: how many come before, and one."""

    def __init__(self, query: np.ndarray, at: np.ndarray):
        first, last = (np.searchsorted(query, query[at], side) for side in ("left", "right"))
        counts = last - first
        self.at, self.starts = at, np.cumsum(counts) - counts
        self.others = np.arange(counts.sum()) + (first - self.starts).repeat(counts)
        self.counts, self.earlier = counts, self.others < at.repeat(counts)

    def ranks(self, score: np.ndarray) -> np.ndarray:
        """Of equal scores the candidate in front, which has the lower passage row, comes first."""
        own, other = score[self.at].repeat(self.counts), score[self.others]
        before = (other > own) | ((other == own) & self.earlier)
        return 1 + np.add.reduceat(before, self.starts, dtype=np.int64)


def _of(run: Run, queries: np.ndarray) -> Run:
    return run.at(np.isin(run.query, queries))
