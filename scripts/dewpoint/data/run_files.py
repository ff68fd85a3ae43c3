"""Runs as text: TREC's lines (query Q0 passage rank score tag) and MS MARCO's (query, passage, rank, with tabs)."""

import re
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dewpoint.data.dataset import Dataset
from dewpoint.data.known_rows import KnownRows
from dewpoint.data.reading import float32, lines
from dewpoint.data.runs import Run, ranked
from dewpoint.errors import UserError

ROWS = 4_000_000  # sorted at once

# --- reading ------------------------------------------------------------------------------------


def read_lines(path: Path, dataset: Dataset, split: str, depth: int) -> Iterator[Run]:
    """The run of a split in a file with lines in any order, in blocks of queries.

    As everywhere, scores are float32, the highest is first, and of equal ones the lower passage row: like trec_eval,
    this never asks TREC's rank. An MS MARCO line, which has no score, is given its rank's negative. Queries of the
    dataset's other splits are passed over, and counted in a warning.
    """
    query, passage, score = (np.frombuffer(column, column.typecode) for column in _columns(path, dataset, split))
    if not len(query):
        raise UserError(f"{path}: no query of {split} in it")
    bound, queries = 1 + int(passage.max()), 1 + int(query.max())
    step = max(1, queries * ROWS // len(query))
    for first in range(0, queries, step):
        within = np.flatnonzero((query >= first) & (query < first + step))
        pairs = np.sort(query[within].astype(np.int64) * bound + passage[within])
        twice = pairs[:-1][pairs[:-1] == pairs[1:]]
        if len(twice):
            raise _twice(path, dataset, split, *divmod(int(twice[0]), bound))
        yield ranked(query[within], passage[within], score[within], depth)


def _columns(path: Path, dataset: Dataset, split: str) -> tuple[array, array, array]:
    """Query rows, passage rows and scores, in the file's order."""
    known, columns = KnownRows(dataset, split), (array("i"), array("i"), array("f"))
    for place, query, passage, score in _fields(path):
        if (row := known.query(place, query)) is None:
            continue
        for column, value in zip(columns, (row, known.passage(place, passage), score), strict=True):
            column.append(value)
    known.warn()
    return columns


def _fields(path: Path) -> Iterator[tuple[str, str, str, float]]:
    """(place, query, passage, score) of every line; the first line says which format it is."""
    marco = None
    for place, line in lines(path):
        if not line.strip():
            continue
        if marco is None:
            marco = line.count("\t") == 2
        fields = line.split("\t") if marco else line.split()
        if len(fields) != (3 if marco else 6):
            expected = "query, passage, rank with tabs" if marco else "query Q0 passage rank score tag"
            raise UserError(f"{place}: {len(fields)} fields, expected {expected}")
        if marco:
            rank = float32(fields[2], "rank", place)
            if rank < 1 or rank % 1:
                raise UserError(f"{place}: rank '{fields[2]}', expected 1, 2, 3, …")
            yield place, fields[0], fields[1], -rank
        else:
            yield place, fields[0], fields[2], float32(fields[4], "score", place)


def _twice(path: Path, dataset: Dataset, split: str, query: int, passage: int) -> UserError:
    """Says where a pair is for the second time; that is looked up only then."""
    rows = {f"queries.{split}": query, "corpus": passage}
    pair = tuple(dataset.column(table, "id")[row].as_py() for table, row in rows.items())
    places = [place for place, *found, _ in _fields(path) if tuple(found) == pair]
    return UserError(f"{places[1]}: query '{pair[0]}' has passage '{pair[1]}' twice, first in {places[0]}")


# --- writing ------------------------------------------------------------------------------------


def trec_lines(blocks: Iterable[Run], queries: pa.Array, passages: pa.Array, tag: str) -> Iterator[pa.Array]:
    """A run in TREC's format, given the ids of queries and passages, in blocks.

    trec_eval sorts by score and breaks ties by id; so of equal scores each is lowered by the least that float32 can.
    """
    for run in blocks:
        query, passage = _ids_of(run, queries, passages, r"\s", "whitespace")
        score = pa.array(falling(run)).cast(pa.string())  # the fewest digits that say the float32
        yield pc.binary_join_element_wise(query, "Q0", passage, pa.array(run.rank).cast(pa.string()), score, tag, " ")


def marco_lines(blocks: Iterable[Run], queries: pa.Array, passages: pa.Array) -> Iterator[pa.Array]:
    """A run in MS MARCO's format, in blocks."""
    for run in blocks:
        query, passage = _ids_of(run, queries, passages, r"[\t\r\n]", "a tab or a line's end")
        yield pc.binary_join_element_wise(query, passage, pa.array(run.rank).cast(pa.string()), "\t")


def falling(run: Run) -> np.ndarray:
    """A run's scores, strictly falling within each query: lowered where need be, by the least that float32 can.

    The values of float32 in their order are counted, zero as 0: there the least step is one.
    """
    bits, rank = (run.score + np.float32(0)).view(np.int32).astype(np.int64), run.rank
    count = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    apart = np.cumsum(rank == 1) << 34  # so that no query's lowest bounds the next one's
    count = np.minimum.accumulate(count + rank - apart) - rank + apart
    return np.where(count < 0, -count | 0x80000000, count).astype(np.uint32).view(np.float32)


def _ids_of(run: Run, queries: pa.Array, passages: pa.Array, broken: str, what: str) -> tuple[pa.Array, pa.Array]:
    """The ids of a run's rows; one that a line cannot hold is a mistake."""
    found = []
    for kind, rows, ids in (("query", run.query, queries), ("passage", run.passage, passages)):
        if (last := int(rows.max(initial=-1))) >= len(ids):
            raise UserError(f"the run has {kind} row {last:,}, the dataset only {len(ids):,} rows; it is another's run")
        found.append(ids.take(pa.array(rows)))
        for id in pc.unique(found[-1]).to_pylist():
            if re.search(broken, id):
                raise UserError(f"{kind} id {id!r} has {what} in it, which this format cannot hold")
    return tuple(found)
