"""Runs: what a ranker gave for the queries of one split, best first; ties rank by passage row."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member
from dewpoint.data.parquet import row_batches

SCHEMA = pa.schema([("query", pa.int32()), ("passage", pa.int32()), ("rank", pa.int32()), ("score", pa.float32())])
COLUMNS = ["query", "passage", "score"]
QUERIES = 512  # whose rows are held at once


@dataclass
class Run:
    query: np.ndarray
    passage: np.ndarray
    score: np.ndarray

    @property
    def rank(self) -> np.ndarray:
        """1 for a query's best; rows are in rank order."""
        return np.arange(len(self.query)) - np.searchsorted(self.query, self.query) + 1

    def at(self, rows: np.ndarray | slice) -> "Run":
        """Some of its rows: their numbers, a mask or a slice."""
        return Run(self.query[rows], self.passage[rows], self.score[rows])

    @property
    def table(self) -> pa.Table:
        """As it is written."""
        columns = zip([self.query, self.passage, self.rank, self.score], SCHEMA.types, strict=True)
        return pa.Table.from_arrays([pa.array(column, type) for column, type in columns], schema=SCHEMA)


NOTHING = Run(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))


def ranked(query: np.ndarray, passage: np.ndarray, score: np.ndarray, depth: int) -> Run:
    """The run of scored pairs in any order: by query, falling score, rising passage row, at most `depth` a query."""
    run = Run(query, passage, score).at(np.lexsort([passage, -score, query]))
    return run.at(run.rank <= depth)


def pair_numbers(*parts: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """A number for each (query, passage), the same for the same pair in any of the parts; it sorts by query first."""
    bound = 1 + max(int(passage.max(initial=0)) for _, passage in parts)
    return [query.astype(np.int64) * bound + passage for query, passage in parts]


def find(numbers: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(which of the wanted numbers are among some that are sorted, where each of those is)."""
    at = np.searchsorted(numbers, wanted)
    rows = np.flatnonzero(np.append(numbers, -1)[at] == wanted)
    return rows, at[rows]


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
        self.file.write_table(run.table)
        self.rows, self.last = self.rows + len(run.query), int(run.query[-1])
        self.queries += len(np.unique(run.query))


def write_run(artifact: Artifact, run: Run) -> None:
    with RunWriter(artifact) as file:
        file.write(run)


def read_run(manifest: Path) -> Run:
    table = pq.read_table(member(manifest))
    return Run(*(table[name].to_numpy() for name in COLUMNS))


def query_blocks(manifest: Path, size: int = QUERIES) -> Iterator[Run]:
    """A run, `size` query rows at a time: of 0 … size - 1, then of the next so many, also where there is none."""
    held, bound = NOTHING, size
    for batch in row_batches(member(manifest), COLUMNS):
        columns = zip((held.query, held.passage, held.score), (batch[name].to_numpy() for name in COLUMNS), strict=True)
        held = Run(*(np.concatenate(parts) for parts in columns))
        while len(held.query) and held.query[-1] >= bound:
            cut = np.searchsorted(held.query, bound)
            yield held.at(slice(cut))
            held, bound = held.at(slice(cut, None)), bound + size
    yield held


def abreast(manifests: list[Path], size: int = QUERIES) -> Iterator[list[Run]]:
    """The same queries of several runs, a block of each at a time."""
    blocks = zip_longest(*(query_blocks(manifest, size) for manifest in manifests), fillvalue=NOTHING)
    return map(list, blocks)
