"""Scores that others published of training triples, as a run: each pair of query and passage once.

A line is `score_pos score_neg query_id pos_passage_id neg_passage_id` with tabs; a query's lines lie anywhere, and its
positive comes again with each of its negatives. So pairs go to files on disk by blocks of queries as they are read, and
each block, which is small, is sorted by itself.
"""

from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dewpoint.data.dataset import Dataset
from dewpoint.data.known_rows import KnownRows
from dewpoint.data.reading import float32, lines
from dewpoint.data.runs import Run, pair_numbers, ranked
from dewpoint.errors import UserError

PENDING = 2**20  # pairs that are held while they are read
BLOCKS = 64  # of queries, each in a file
COLUMNS = "score_pos score_neg query_id pos_passage_id neg_passage_id"
PAIR = np.dtype([("query", np.int32), ("passage", np.int32), ("score", np.float32)])


def read_pair_scores(path: Path, dataset: Dataset, settings, space: Path) -> Iterator[Run]:
    """The run of `settings.split` in blocks of queries; below `space` twelve bytes a score lie on disk meanwhile.

    Of a pair's scores the first counts; the others may be `settings.apart` from it.
    """
    split, apart = settings.split, settings.apart
    size = -(-dataset.rows(f"queries.{split}") // BLOCKS)
    with TemporaryDirectory(dir=space) as folder:
        files = [Path(folder, f"{block:02d}") for block in range(BLOCKS)]
        for pairs in _pairs(path, KnownRows(dataset, split)):
            block = pairs["query"] // size
            for one in np.unique(block):
                with open(files[one], "ab") as file:
                    pairs[block == one].tofile(file)
        written = [file for file in files if file.exists()]
        if not written:
            raise UserError(f"{path}: no query of {split} in it")
        for file in written:
            pairs, differs = _once(np.fromfile(file, PAIR), apart)
            if differs is not None:
                raise _two_scores(path, dataset, split, differs["query"], differs["passage"], apart)
            yield ranked(pairs["query"], pairs["passage"], pairs["score"], settings.depth)


def _once(pairs: np.ndarray, apart: float) -> tuple[np.ndarray, np.void | None]:
    """(the first of each pair, the earliest whose score is too far from that of the first of its pair)."""
    (numbers,) = pair_numbers((pairs["query"], pairs["passage"]))
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    far = np.flatnonzero(np.abs(pairs["score"].astype(float) - pairs["score"][first][which]) > apart)
    return pairs[first], pairs[far[0]] if len(far) else None


# --- lines --------------------------------------------------------------------------------------


def _pairs(path: Path, known: KnownRows) -> Iterator[np.ndarray]:
    """All pairs of a file by row, in its order, some at a time."""
    query, passage, score = columns = array("i"), array("i"), array("f")
    for place, asked, scored in _fields(path):
        try:
            if (row := known.query(place, asked)) is None:
                continue
            found = [(known.passage(place, id), value) for id, value in scored]
        except UserError as error:
            raise _texts(place, asked, scored) or error from None
        for at, value in found:
            query.append(row)
            passage.append(at)
            score.append(value)
        if len(query) >= PENDING:
            yield _array(columns)
            for column in columns:
                del column[:]
    yield _array(columns)
    known.warn()


def _array(columns: tuple[array, array, array]) -> np.ndarray:
    made = np.empty(len(columns[0]), PAIR)
    for name, column in zip(PAIR.names, columns, strict=True):
        made[name] = np.array(column)
    return made


def _fields(path: Path) -> Iterator[tuple[str, str, list[tuple[str, float]]]]:
    """(place, query, its positive and its negative, each with a score) of every line."""
    for place, line in lines(path):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != 5:
            raise UserError(f"{place}: {len(fields)} fields, expected {COLUMNS} with tabs")
        scores = float32(fields[0], "score_pos", place), float32(fields[1], "score_neg", place)
        yield place, fields[2], list(zip(fields[3:], scores, strict=True))


def _texts(place: str, query: str, scored: list[tuple[str, float]]) -> UserError | None:
    """What an unknown id means where there are blanks in one: the form of the file that has texts."""
    if not any(" " in id for id in (query, *(id for id, _ in scored))):
        return None
    return UserError(f"{place}: texts where ids belong; name the file of ids that it was made from: {COLUMNS}")


def _two_scores(path: Path, dataset: Dataset, split: str, query: int, passage: int, apart: float) -> UserError:
    """Says where a pair has another score than before; that is looked up only then."""
    pair = tuple(
        dataset.column(table, "id")[int(row)].as_py()
        for table, row in ((f"queries.{split}", query), ("corpus", passage))
    )
    first = None
    for place, asked, scored in _fields(path):
        for value in (np.float32(value) for id, value in scored if (asked, id) == pair):
            first = first or (place, value)
            if abs(float(value) - float(first[1])) > apart:
                both = f"is scored {value!s}, but {first[1]!s} in {first[0]}; if that is rounding, say apart: …"
                return UserError(f"{place}: passage '{pair[1]}' of query '{pair[0]}' {both}")
    raise ValueError(f"{path} has changed while it was read")
