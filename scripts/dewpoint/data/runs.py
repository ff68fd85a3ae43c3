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


class RunWriter:
    """A run to its artifact's file, consecutive blocks of queries at a time."""

    def __init__(self, artifact: Artifact):
        self.artifact = artifact
        self.file = pq.ParquetWriter(artifact.beside(".parquet"), SCHEMA, compression="zstd")
        self.rows = self.queries = 0
        self.last = -1  # query written

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.file.close()
        self.artifact.facts |= {"rows": self.rows, "queries": self.queries}

    def write(self, run: Run) -> None:
        """A block whose queries come after those written before."""
        if not len(run.query):
            return
        if run.query[0] <= self.last:
            raise ValueError(f"query {run.query[0]} after query {self.last}: blocks of queries come in order")
        columns = [run.query, run.passage, run.rank, run.score]
        arrays = [pa.array(column, type) for column, type in zip(columns, SCHEMA.types, strict=True)]
        self.file.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self.rows, self.last = self.rows + len(run.query), int(run.query[-1])
        self.queries += len(np.unique(run.query))


def write_run(artifact: Artifact, run: Run) -> None:
    with RunWriter(artifact) as file:
        file.write(run)


def read_run(manifest: Path) -> Run:
    table = pq.read_table(member(manifest))
    return Run(*(table[name].to_numpy() for name in ("query", "passage", "score")))
