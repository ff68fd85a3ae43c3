"""A run whose first passages are judged anew and put into another order; the rest follow as they were.

Queries are worked on a few at a time, and what is done of them an interrupted job keeps: batches stay within them, so
the scores are the same, bit for bit, after any interruption.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.kept import keep, kept
from dewpoint.data.runs import COLUMNS, QUERIES, SCHEMA, Run, RunWriter, query_blocks, ranked
from dewpoint.models.seq2seq import as_read
from dewpoint.progress import Progress
from dewpoint.search.live import Live, Timed

FEW = 16  # queries
Scorer = Callable[[list[str], list[list[str]]], list[np.ndarray]]  # queries, passages of each → their scores


def reorder(
    artifact: Artifact, dataset: Dataset, run: Path, settings, score: Scorer, few: int = FEW, held: int = QUERIES
) -> None:
    """The first `settings.top` passages of each query by score; `few` queries at a time are done for good."""
    queries, folder = dataset.column(f"queries.{settings.split}", "text").to_pylist(), artifact.workspace()
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(len(queries), "queries", rate="queries")
    with RunWriter(artifact) as file:
        for window, block in enumerate(query_blocks(run, held)):
            texts: dict[int, str] = {}
            for first in range(window * held, min((window + 1) * held, len(queries)), few):
                part = block.at((block.query >= first) & (block.query < first + few))
                path = folder / f"{first}.parquet"
                if (done := kept(path, SCHEMA)) is None:
                    texts = texts or texts_of(dataset, block.passage[block.rank <= settings.top], settings)
                    done = _reordered(part, queries, texts, settings, score).table
                    keep(path, done)
                file.write(Run(*(done[name].to_numpy() for name in COLUMNS)))
                progress.add(min(few, len(queries) - first))
    artifact.finished = folder


def by_score(run: Run, scores: np.ndarray, top: int, depth: int) -> Run:
    """A run whose first `top` passages a query have these scores; the rest keep their order, below them by one each."""
    judged, rank = run.rank <= top, run.rank
    score = np.empty(len(run.query), np.float32)
    score[judged] = scores
    for query in np.unique(run.query[~judged]):
        rest = ~judged & (run.query == query)
        score[rest] = np.floor(score[judged & (run.query == query)].min()) - (rank[rest] - top)
    return ranked(run.query, run.passage, score, depth)


def live(dataset: Dataset, settings, part: Live, deep: int, score: Scorer) -> Live:
    """The same of questions: `part` is asked for `deep` passages, whose texts are all at hand."""
    titles, texts = (dataset.column("corpus", name) for name in ("title", "text"))

    def rank(questions: list[str], depth: int) -> Timed:
        found, took = part(questions, deep)
        began = time.perf_counter()
        rows = np.unique(found.passage[found.rank <= settings.top]).tolist()
        read = {row: as_read(titles[row].as_py(), texts[row].as_py(), settings) for row in rows}
        whole = _reordered(found, questions, read, settings, score)
        took |= {"judge": took.get("judge", 0) + time.perf_counter() - began}
        return whole.at(whole.rank <= depth), took

    return rank


def texts_of(dataset: Dataset, rows: np.ndarray, settings) -> dict[int, str]:
    """Passages as the model reads them, by row."""
    found = dataset.at("corpus", rows, ["title", "text"])
    return {row: as_read(of["title"], of["text"], settings) for row, of in found}


def _reordered(run: Run, queries: list[str], texts: dict[int, str], settings, score: Scorer) -> Run:
    top = run.at(run.rank <= settings.top)
    asked, starts = np.unique(top.query, return_index=True)
    passages = (
        [[texts[row] for row in rows.tolist()] for rows in np.split(top.passage, starts[1:])] if len(asked) else []
    )
    scores = score([queries[row] for row in asked.tolist()], passages)
    return by_score(run, np.concatenate([np.zeros(0, np.float32), *scores]), settings.top, settings.depth)
