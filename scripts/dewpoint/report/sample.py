"""What a dataset holds, to be seen: a few of its passages, and queries with a passage that is judged relevant."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

PASSAGES, QUERIES = 3, 2
LONGEST = 280  # letters of a text
MOST_READ = 20_000  # judgements in which those of the first queries are looked for


@dataclass(frozen=True)
class Passage:
    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Query:
    id: str
    text: str
    answers: list[str]
    passage: Passage | None  # one that is judged relevant


@dataclass(frozen=True)
class Sample:
    passages: list[Passage]
    split: str  # of the queries
    queries: list[Query]


def sample(folder: Path, splits: Iterable[str]) -> Sample | None:
    """Of a prepared dataset, from the first of these splits that has queries; nothing where no passage is at hand."""
    corpus = folder / "corpus.parquet"
    if not corpus.is_file():
        return None
    split = next((split for split in splits if (folder / f"queries.{split}.parquet").is_file()), "")
    found = passages(corpus, range(PASSAGES))
    return Sample([*found.values()], split, queries(folder, split) if split else [])


def queries(folder: Path, split: str) -> list[Query]:
    """The first with a judged passage; without any judgements the first."""
    judged = _judged(folder / f"judgements.{split}.parquet")
    rows = sorted(judged)[:QUERIES] or range(QUERIES)
    texts = dict(_rows(folder / f"queries.{split}.parquet", rows, ["id", "text", "answers"]))
    corpus = folder / "corpus.parquet"
    positives = passages(corpus, [judged[row] for row in rows if row in judged])
    return [
        Query(
            _cut(of["id"]), _cut(of["text"]), [_cut(one) for one in of["answers"] or []], positives.get(judged.get(row))
        )
        for row, of in texts.items()
    ]


def passages(corpus: Path, rows: Iterable[int]) -> dict[int, Passage]:
    return {
        row: Passage(*(_cut(of[key] or "") for key in ("id", "title", "text")))
        for row, of in _rows(corpus, rows, ["id", "title", "text"])
    }


def _judged(path: Path) -> dict[int, int]:
    """Query → the first passage that has its highest grade, as far as the first judgements say."""
    if not path.is_file():
        return {}
    first = next(pq.ParquetFile(path).iter_batches(MOST_READ, columns=["query", "passage", "grade"]), None)
    best: dict[int, tuple[float, int]] = {}
    for query, passage, grade in zip(*(column.to_pylist() for column in first or ()), strict=True):
        if grade > 0 and grade > best.get(query, (0, 0))[0]:
            best[query] = grade, passage
    return {query: passage for query, (_, passage) in best.items()}


def _rows(path: Path, rows: Iterable[int], columns: list[str]) -> Iterator[tuple[int, dict]]:
    """Those that there are, a row group at a time; only those groups are read that have one."""
    wanted, file, first = sorted({*rows}), pq.ParquetFile(path), 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        here = [row - first for row in wanted if first <= row < first + count]
        if here:
            table = file.read_row_group(group, columns=columns).take(here)
            yield from zip((row + first for row in here), table.to_pylist(), strict=True)
        first += count


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rstrip()} …"
