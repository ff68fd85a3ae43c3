"""What the page's explorer of queries shows of a table: how each ranker does on each query, and what it found for some.

Opened are those queries on which two rankers differ most, for each two of them in turns.
"""

import gzip
import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dewpoint.artifact import Artifact, member
from dewpoint.data.answers import with_answer
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run, read_run
from dewpoint.evaluation.metrics import Judgements, ranks
from dewpoint.evaluation.registry import ANSWERS, goes_by

LISTED, OPENED = 10_000, 100  # queries of a place, and those of them whose passages are shown
FOUND, JUDGED = 5, 5  # passages of each query, of a ranker and of what is judged
LETTERS, QUERY_LETTERS = 300, 200  # of a passage, of a query
THOUSANDTHS = 1000  # values are whole numbers of these


def write_explored(artifact: Artifact, settings, datasets: list[Path], runs: list[Path], scores: list[Path]) -> None:
    """`datasets` are of each place, `runs` and `scores` of all rankers on the first place, then of all on the next."""
    of_place, shown = len(settings.rankers), []
    for number, (place, dataset) in enumerate(zip(settings.places, datasets, strict=True)):
        part = slice(number * of_place, (number + 1) * of_place)
        shown.append(explored(place, Dataset(dataset), runs[part], scores[part]))
    text = json.dumps({"rankers": settings.rankers, "places": shown}, ensure_ascii=False, separators=(",", ":"))
    artifact.beside(".json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    artifact.facts |= {"queries": [len(place["values"][0]) for place in shown]}


def explored(place, dataset: Dataset, runs: list[Path], scores: list[Path]) -> dict[str, Any]:
    """One place of a table; queries, passages and values are lists, which all else counts in."""
    each = [pd.read_parquet(member(path), columns=["query", place.metric]) for path in scores]
    rows, values = each[0]["query"].to_numpy(), np.stack([of[place.metric].to_numpy() for of in each])
    listed = np.sort(np.argsort(values.min(0) - values.max(0), kind="stable")[:LISTED])
    opened = telling(values[:, listed], OPENED)
    texts, ids = (dataset.column(f"queries.{place.split}", name) for name in ("text", "id"))
    shown = {
        "on": f"{place.dataset}/{place.split}",
        "metric": place.metric,
        "all": len(rows),
        "queries": [[ids[row].as_py(), cut(texts[row].as_py(), QUERY_LETTERS)] for row in rows[listed].tolist()],
        "values": [np.rint(of[listed] * THOUSANDTHS).astype(int).tolist() for of in values],
    }
    details, passages = of_opened(dataset, place, rows[listed][opened], runs)
    return shown | {"opened": dict(zip(opened.tolist(), details, strict=True)), "passages": passages}


def telling(values: np.ndarray, most: int) -> np.ndarray:
    """Numbers of queries, given [rankers, queries]: for each ranker and each other in turns, where it is most above it.

    The best rankers come first; where others tell as much, those on which all rankers differ more. Rising.
    """
    spread, best = values.max(0) - values.min(0), np.argsort(-values.mean(1), kind="stable")
    pairs = list(permutations(best.tolist(), 2))
    above = (values[first] - values[second] for first, second in pairs)
    orders = [np.lexsort([-spread, -of])[: min(most, np.count_nonzero(of > 0))].copy() for of in above]
    chosen: dict[int, None] = {}
    for turn in range(max(map(len, orders), default=0)):
        for order in (order for order in orders if turn < len(order)):
            chosen.setdefault(int(order[turn]))
            if len(chosen) == most:
                return np.sort(np.fromiter(chosen, int))
    rest = (query for query in range(values.shape[1]) if query not in chosen)
    return np.sort(np.array([*chosen, *rest], int)[:most])


def of_opened(dataset: Dataset, place, rows: np.ndarray, runs: list[Path]) -> tuple[list[dict], list[list[str]]]:
    """(of each of these query rows what is judged and what each ranker found; the passages that these name)."""
    judged = judgements(dataset, place.split, rows)
    grades = {(query, passage): grade for query, passage, grade in zip(*judged, strict=True)}
    parts = [run.at(np.isin(run.query, rows)) for run in map(read_run, runs)]
    where = [ranks(run, Judgements(*judged)).tolist() for run in parts]
    firsts = [run.at(run.rank <= FOUND) for run in parts]
    hits = [hit(run, dataset, place, grades) for run in firsts]
    named = np.unique(np.concatenate([judged[1], *(run.passage for run in firsts)]))
    number = {row: place for place, row in enumerate(named.tolist())}
    details: dict[int, dict] = {row: {"judged": [], "found": [[] for _ in runs]} for row in rows.tolist()}
    for at, (query, passage, grade) in enumerate(zip(*(of.tolist() for of in judged), strict=True)):
        details[query]["judged"].append([number[passage], grade, *(of[at] for of in where)])
    for ranker, (run, right) in enumerate(zip(firsts, hits, strict=True)):
        columns = (run.query.tolist(), run.passage.tolist(), run.score.tolist(), right)
        for query, passage, score, grade in zip(*columns, strict=True):
            details[query]["found"][ranker].append([number[passage], float(f"{score:.4g}"), grade])
    return list(details.values()), list(texts_of(dataset, named))


def judgements(dataset: Dataset, split: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(query rows, passage rows, grades): the highest of each query."""
    query, passage, grade = dataset.judgements(split)
    of_rows = np.isin(query, rows)
    query, passage, grade = query[of_rows], passage[of_rows], grade[of_rows]
    order = np.lexsort([passage, -grade, query])
    query, passage, grade = query[order], passage[order], grade[order]
    first = np.arange(len(query)) - np.searchsorted(query, query) < JUDGED
    return query[first], passage[first], grade[first]


def hit(run: Run, dataset: Dataset, place, grades: dict[tuple[int, int], float]) -> list[float]:
    """The grade of each row of a run; by answers, 1 where the passage has one."""
    if goes_by(place.metric) == ANSWERS:
        return with_answer(run, dataset, place.split).astype(float).tolist()
    return [float(grades.get(pair, 0)) for pair in zip(run.query.tolist(), run.passage.tolist(), strict=True)]


def texts_of(dataset: Dataset, rows: np.ndarray) -> Iterator[list[str]]:
    """[id, title, beginning of the text] of passages."""
    for _, one in dataset.at("corpus", rows, ["id", "title", "text"]):
        yield [one["id"], cut(one["title"] or "", QUERY_LETTERS), cut(one["text"], LETTERS)]


def cut(text: str, letters: int) -> str:
    """Its beginning, up to the end of a word where there is one."""
    text = " ".join(text.split())
    if len(text) <= letters:
        return text
    return (text[:letters].rsplit(" ", 1)[0]) + " …"
