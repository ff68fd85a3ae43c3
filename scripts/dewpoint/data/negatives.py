"""Negatives: what a run over the training queries becomes once positives are taken out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member
from dewpoint.data.runs import Run

SCHEMA = pa.schema([("query", pa.int32()), ("source", pa.int32()), ("passages", pa.list_(pa.int32()))])


@dataclass
class Negatives:
    """Instances: a query with the negatives that one ranker gave it."""

    query: np.ndarray
    passages: np.ndarray  # of all instances, flat
    offsets: np.ndarray


def read_negatives(manifest: Path) -> Negatives:
    table = pq.read_table(member(manifest))
    lists = table["passages"].combine_chunks()
    query, offsets = table["query"].to_numpy().astype(np.int64), lists.offsets.to_numpy().astype(np.int64)
    return Negatives(query, lists.values.to_numpy(), offsets)


def write_negatives(
    artifact: Artifact, runs: list[Run], positives: tuple[np.ndarray, np.ndarray], depth: int, kept: int, seed: int
) -> None:
    """From each run the first `depth`, less the positives, `kept` of them at random.

    A query that a run leaves without any is still an instance; training tops it up at random passages.
    """
    queries = np.unique(positives[0])
    with pq.ParquetWriter(artifact.beside(".parquet"), SCHEMA, compression="zstd") as file:
        artifact.facts["sources"] = []
        for source, run in enumerate(runs):
            query, passage = pick(run, positives, depth, kept, np.random.default_rng([seed, source]))
            first = np.searchsorted(query, queries)
            counts = np.searchsorted(query, queries, side="right") - first
            offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
            lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(passage, pa.int32()))
            columns = [pa.array(queries, pa.int32()), pa.array(np.full(len(queries), source), pa.int32()), lists]
            file.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
            fact = {"queries": len(queries), "negatives": len(passage), "queries_without": int((counts == 0).sum())}
            artifact.facts["sources"].append(fact)


def pick(
    run: Run, positives: tuple[np.ndarray, np.ndarray], depth: int, kept: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(query, passage) of what a run's judged queries keep, shuffled within each query."""
    bound = 1 + max(int(passage.max(initial=0)) for passage in (run.passage, positives[1]))
    known = positives[0].astype(np.int64) * bound + positives[1]
    free = (run.rank <= depth) & ~np.isin(run.query.astype(np.int64) * bound + run.passage, known)
    free &= np.isin(run.query, positives[0])
    query, passage = run.query[free], run.passage[free]
    order = np.lexsort([random.random(len(query)), query])
    query, passage = query[order], passage[order]
    chosen = np.arange(len(query)) - np.searchsorted(query, query) < kept
    return query[chosen], passage[chosen]
