"""Runs: what a ranker gave for the queries of one split, best first; ties rank by passage row."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member

SCHEMA = pa.schema([("query", pa.int32()), ("passage", pa.int32()), ("rank", pa.int32()), ("score", pa.float32())])


@dataclass
class Run:
    query: np.ndarray
    passage: np.ndarray
    score: np.ndarray

    @property
    def rank(self) -> np.ndarray:
        """1 for a query's best; rows are in rank order."""
        return np.arange(len(self.query)) - np.searchsorted(self.query, self.query) + 1


def ranked(query: np.ndarray, passage: np.ndarray, score: np.ndarray, depth: int) -> Run:
    """The run of scored pairs in any order: by query, falling score, rising passage row, at most `depth` a query."""
    order = np.lexsort([passage, -score, query])
    run = Run(query[order], passage[order], score[order])
    kept = run.rank <= depth
    return Run(run.query[kept], run.passage[kept], run.score[kept])


def write_run(artifact: Artifact, run: Run) -> None:
    columns = [run.query, run.passage, run.rank, run.score]
    arrays = [pa.array(column, type) for column, type in zip(columns, SCHEMA.types, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), artifact.beside(".parquet"), compression="zstd")
    artifact.facts |= {"rows": len(run.query), "queries": len(np.unique(run.query))}


def read_run(manifest: Path) -> Run:
    table = pq.read_table(member(manifest))
    return Run(*(table[name].to_numpy() for name in ("query", "passage", "score")))
