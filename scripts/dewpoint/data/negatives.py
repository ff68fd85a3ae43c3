"""Negatives: what a run over the training queries becomes once positives are taken out."""

import logging
from collections import Counter
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import NOTHING, Run, find, pair_numbers, query_blocks
from dewpoint.progress import Progress

log = logging.getLogger(__name__)

QUERIES = 20_000  # rows of queries held at once
SCHEMA = pa.schema([("query", pa.int32()), ("source", pa.int32()), ("passages", pa.list_(pa.int32()))])


@dataclass
class Negatives:
    """Instances: a query with the negatives that one ranker gave it."""

    query: np.ndarray
    passages: np.ndarray  # of all instances, flat
    offsets: np.ndarray

    @classmethod
    def none(cls, queries: np.ndarray) -> "Negatives":
        return cls(queries.astype(np.int64), np.zeros(0, np.int32), np.zeros(len(queries) + 1, np.int64))


def read_negatives(manifest: Path) -> Negatives:
    table = pq.read_table(member(manifest))
    lists = table["passages"].combine_chunks()
    query, offsets = table["query"].to_numpy().astype(np.int64), lists.offsets.to_numpy().astype(np.int64)
    return Negatives(query, lists.values.to_numpy(), offsets)


def write_negatives(
    artifact: Artifact, runs: list[Path], dataset: Dataset, settings, judge: Path | None = None
) -> None:
    """From each run the first `depth`, less what may be positive, `kept` of them at random; queries in blocks.

    How far a negative is from a positive is said by the scores of the run `judge`, or else by the run's own.

    A query that a run leaves without any is still an instance; training tops it up at random passages. One without a
    positive is none. All of it is counted.
    """
    query, passage = dataset.positives(settings.split)
    order = np.argsort(query, kind="stable")
    positives = query[order], passage[order]
    queries = np.unique(query)
    without = dataset.rows(f"queries.{settings.split}") - len(queries)
    artifact.facts |= {"queries": len(queries), "queries_without_positive": without, "sources": []}
    log.info("%s queries; %s more have no positive and are left out", f"{len(queries):,}", f"{without:,}")
    progress = Progress(len(queries) * len(runs), "queries", rate="queries")
    with pq.ParquetWriter(artifact.path("negatives.parquet"), SCHEMA, compression="zstd") as file:
        for source, manifest in enumerate(runs):
            counts, random = Counter(), np.random.default_rng([settings.seed, source])
            blocks, judged = (
                chain(query_blocks(path, QUERIES), repeat(NOTHING)) if path else repeat(None)
                for path in (manifest, judge)  # of which the last queries may have no rows
            )
            starts = range(0, int(queries.max(initial=-1)) + 1, QUERIES)
            for first, run, scores in zip(starts, blocks, judged, strict=False):
                (within,), relevant = (block(columns, first) for columns in ((queries,), positives))
                run, left_out = candidates(run, relevant, dataset, settings, run if scores is None else scores)
                query, passage = pick(run, settings.kept, random)
                found = np.searchsorted(query, within, side="right") - np.searchsorted(query, within)
                counts.update(left_out | {"negatives": len(passage), "queries_without": int((found == 0).sum())})
                offsets = pa.array(np.concatenate([[0], np.cumsum(found)]), pa.int32())
                lists = pa.ListArray.from_arrays(offsets, pa.array(passage, pa.int32()))
                columns = [pa.array(within, pa.int32()), pa.array(np.full(len(within), source), pa.int32()), lists]
                file.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
                progress.add(len(within))
            artifact.facts["sources"].append(dict(counts))
            log.info("ranker %s: %s", source + 1, ", ".join(f"{what} {count:,}" for what, count in counts.items()))


def block(columns: tuple[np.ndarray, ...], first: int) -> tuple[np.ndarray, ...]:
    """The rows of a block's queries, by which the first column is sorted."""
    rows = slice(*np.searchsorted(columns[0], [first, first + QUERIES]))
    return tuple(column[rows] for column in columns)


def candidates(
    run: Run, positives: tuple[np.ndarray, np.ndarray], dataset: Dataset, settings, judge: Run
) -> tuple[Run, dict[str, int]]:
    """What may be a negative, the first `depth` of each query with a positive less the first `skip`, what `without`
    names, and what is too near to a positive by the scores of `judge`; and counts."""
    rank = run.rank
    free, counts = (rank > settings.skip) & (rank <= settings.depth) & np.isin(run.query, positives[0]), {}
    if "judged" in settings.without:
        judged = np.isin(*pair_numbers((run.query, run.passage), positives))
        counts["judged"], free = int((free & judged).sum()), free & ~judged
    if settings.margin is not None or settings.share is not None:
        near = too_near(run, positives, judge, settings.margin, settings.share)
        counts["near_positives"], free = int((free & near).sum()), free & ~near
    run = run.at(free)
    if "answers" in settings.without:
        from dewpoint.data.answers import with_answer  # with loops that are compiled: training does without

        answered = with_answer(run, dataset, settings.split)
        counts["with_answer"] = int(answered.sum())
        run = run.at(~answered)
    return run, counts


def too_near(
    run: Run,
    positives: tuple[np.ndarray, np.ndarray],
    judge: Run,
    margin: float | None,
    share: float | None,
) -> np.ndarray:
    """Which passages score higher than the query's lowest scored positive less `margin`, or than `share` of its score.

    None where the judge has no score of the passage, or of any positive of the query.
    """
    wanted, known, relevant = pair_numbers(
        (run.query, run.passage), (judge.query, judge.passage), (positives[0], positives[1])
    )
    order = np.argsort(known)
    rows, at = find(known[order], relevant)
    lowest = np.full(1 + int(max(run.query.max(initial=0), positives[0].max(initial=0))), np.inf)
    np.minimum.at(lowest, positives[0][rows], judge.score[order][at])
    limit = np.minimum(lowest - (margin or 0), lowest * (1 if share is None else share))
    scores = np.full(len(run.query), -np.inf)
    rows, at = find(known[order], wanted)
    scores[rows] = judge.score[order][at]
    return scores > limit[run.query]


def pick(run: Run, kept: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(query, passage) of `kept` rows of each query, shuffled within each query."""
    order = np.lexsort([random.random(len(run.query)), run.query])
    query, passage = run.query[order], run.passage[order]
    chosen = np.arange(len(query)) - np.searchsorted(query, query) < kept
    return query[chosen], passage[chosen]
