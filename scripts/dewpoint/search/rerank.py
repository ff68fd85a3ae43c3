"""Re-ranking: a run's pairs of query and passage scored by models, a block of queries at a time.

    s(q, p) = 1/k Σ_j s_j(q, p)        over k models

Pairs of like lengths are scored together, so that little is padded. The scores of a block are kept in the workspace
until the run is sealed: a job that was killed goes on with the block that it was at.
"""

import time
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pyarrow as pa

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.kept import keep, kept
from dewpoint.data.runs import NOTHING, Run, RunWriter, pair_numbers, query_blocks
from dewpoint.data.tokens import Texts
from dewpoint.errors import UserError
from dewpoint.progress import Progress
from dewpoint.search.live import Live, Timed
from dewpoint.search.scorers import Scorer

PAIRS = 8192  # of a block, about
SCORES = pa.schema([("score", pa.float32())])  # of a block, as they are kept


def _mean(scorers: list[Scorer], queries: list[Texts], query: np.ndarray, passage: np.ndarray) -> np.ndarray:
    """The scorers' mean of each pair; `queries` are each one's."""
    scores = [scorer.score(texts, query, passage) for scorer, texts in zip(scorers, queries, strict=True)]
    mean = np.mean(scores, axis=0, dtype=np.float64).astype(np.float32)
    if not np.isfinite(mean).all():
        at = int(np.flatnonzero(~np.isfinite(mean))[0])
        raise UserError(
            f"passage {passage[at]} has no finite score for query {query[at]}; is a model of `by` diverged?"
        )
    return mean


# --- a run --------------------------------------------------------------------------------------


@dataclass
class Candidates:
    """What is ranked for some queries; what is not scored lies in its order."""

    run: Run
    scored: np.ndarray  # as booleans
    stays: np.ndarray  # whatever its rank
    added: np.ndarray  # of those that stay, what was not found and takes no place of what was


def candidates(found: Run, top: int, depth: int, positives: tuple[np.ndarray, np.ndarray]) -> Candidates:
    """The first `top` of each query are scored, and its positives, which are added where they were not found."""
    taken = found.rank <= max(top, depth)
    query, passage = found.query[taken], found.passage[taken]
    known, judged = pair_numbers((query, passage), positives)
    added = ~np.isin(judged, known)
    scored = (found.rank[taken] <= top) | np.isin(known, judged)
    stays = np.concatenate([np.isin(known, judged), np.ones(added.sum(), bool)])
    query, passage = (
        np.concatenate(both) for both in zip((query, passage), (of[added] for of in positives), strict=True)
    )
    scored = np.concatenate([scored, np.ones(added.sum(), bool)])
    new = np.arange(len(query)) >= len(query) - added.sum()
    return Candidates(Run(query, passage, np.zeros(len(query), np.float32)), scored, stays, new)


def ordered(of: Candidates, scores: np.ndarray, depth: int) -> Run:
    """By score, then the others in their order, each of them lower: `depth` of each query, and what stays anyway."""
    query, score, rest = of.run.query, np.empty(len(of.scored), np.float32), ~of.scored
    score[of.scored] = scores
    lowest = np.full(int(query.max(initial=-1)) + 1, np.inf, np.float32)
    np.minimum.at(lowest, query[of.scored], scores)
    score[rest] = lowest[query[rest]] - Run(query[rest], of.run.passage[rest], score[rest]).rank
    order = np.lexsort([of.run.passage, -score, query])
    run, new = Run(query, of.run.passage, score).at(order), np.concatenate([[0], np.cumsum(of.added[order])])
    before = new[1:] - new[np.searchsorted(run.query, run.query)]  # added ones, of the same query and not lower
    return run.at((run.rank - before <= depth) | of.stays[order])


def rerank(artifact: Artifact, settings, data: Dataset, run: Path, scorers: list[Scorer]) -> None:
    """Write the run of `settings.split`; blocks whose scores lie in the workspace are not scored again."""
    workspace, total = artifact.workspace(), data.rows(f"queries.{settings.split}")
    workspace.mkdir(parents=True, exist_ok=True)
    query, passage = data.positives(settings.split) if settings.judged else (np.zeros(0, int), np.zeros(0, int))
    order = np.argsort(query, kind="stable")
    positives = query[order], passage[order]
    queries = [scorer.reads.queries(settings.split) for scorer in scorers]
    size, pairs_scored, progress = max(1, PAIRS // settings.top), 0, Progress(total, "queries", rate="queries")
    with RunWriter(artifact) as file:
        blocks = chain(query_blocks(run, size), repeat(NOTHING))  # the last queries may have no rows
        for first, found in zip(range(0, total, size), blocks, strict=False):
            begin, end = np.searchsorted(positives[0], [first, first + size])
            block = candidates(found, settings.top, settings.depth, tuple(of[begin:end] for of in positives))
            asked, shown = (of[block.scored] for of in (block.run.query, block.run.passage))
            path = workspace / f"{size}-{first:09d}.parquet"
            if (done := kept(path, SCORES)) is None or len(done) != len(asked):
                done = pa.table([_mean(scorers, queries, asked, shown)], schema=SCORES)
                keep(path, done)
            scores = done["score"].to_numpy()
            file.write(ordered(block, scores, settings.depth))
            pairs_scored += len(asked)
            progress.add(min(size, total - first))
    artifact.facts |= {"pairs": pairs_scored}
    artifact.finished = workspace


# --- typed questions ----------------------------------------------------------------------------


def answering(scorers: list[Scorer], part: tuple[Live, int], top: int) -> Live:
    """Asks another ranker, which keeps so many passages, and scores the first `top` of them."""
    ask, most = part

    def rank(questions: list[str], depth: int) -> Timed:
        found, took = ask(questions, min(most, max(top, depth)))
        began = time.perf_counter()
        block = candidates(found, top, depth, (np.zeros(0, int), np.zeros(0, int)))
        queries = [scorer.reads.typed(questions) for scorer in scorers]
        scores = _mean(scorers, queries, *(of[block.scored] for of in (block.run.query, block.run.passage)))
        run = ordered(block, scores, depth)
        return run, took | {"score": took.get("score", 0) + time.perf_counter() - began}

    return rank
