"""Datasets: passages, queries and judgements as Parquet, every reference a row number."""

import logging
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.ids import Ids
from dewpoint.errors import UserError

log = logging.getLogger(__name__)

CORPUS = pa.schema([("id", pa.string()), ("title", pa.string()), ("text", pa.string()), ("document", pa.string())])
QUERIES = pa.schema([("id", pa.string()), ("text", pa.string()), ("answers", pa.list_(pa.string()))])
JUDGEMENTS = pa.schema([("query", pa.int32()), ("passage", pa.int32()), ("grade", pa.int32())])
LISTED = pa.schema([("query", pa.int32()), ("passage", pa.int32())])
BATCH = 50_000
DOCUMENTS = "documents"  # what is judged, where it is not passages


class DatasetWriter:
    """Checks rows as a source hands them over, and streams them to Parquet. Passages come before judgements."""

    def __init__(self, artifact: Artifact):
        self.artifact = artifact
        self.tables: dict[str, TableWriter] = {}
        self.passages = Ids()
        self.documents = Ids()
        self.starts = array("q")  # each document's first passage
        self.queries: dict[str, Ids] = {}
        self.judged: dict[str, dict[tuple[int, int], int]] = {}
        self.relevant: dict[str, int] = {}  # the grade from which a passage is, where it is not 1
        self.lists: dict[str, dict[str, TableWriter]] = {}
        self.count = self.empty = 0

    def passage(self, place: str, id: str, text: str, title: str = "", document: str = "") -> None:
        """A passage; one without a document is its own."""
        _add(self.passages, place, id, "passage")
        self.paragraph(id, text, title, document or id)

    def document(self, place: str, id: str, title: str, passages: Iterable[tuple[str, str]]) -> None:
        """The (id, text) of a document's passages; judgements then name the document, and are of all its passages."""
        _add(self.documents, place, id, "document")
        self.starts.append(self.count)
        for passage, text in passages:
            self.paragraph(passage, text, title, id)

    def paragraph(self, id: str, text: str, title: str, document: str) -> None:
        """A passage that nothing judges, with an id that its source made up to be unique; it is not remembered."""
        self.count += 1
        self.empty += not text or text.isspace()
        self._table("corpus", CORPUS).add(id, title, text, document)

    def end_of_corpus(self, place: str) -> None:
        """All passages have come: refuse a dataset that could not be searched."""
        if not self.count:
            raise UserError(f"{place}: the corpus is empty, no passage was found")
        self.starts.append(self.count)

    def query(self, place: str, split: str, id: str, text: str, answers: tuple[str, ...] = ()) -> None:
        if not text.strip():
            raise UserError(f"{place}: query '{id}' has no text")
        _add(self.queries.setdefault(split, Ids()), place, id, f"{split} query")
        self._table(f"queries.{split}", QUERIES).add(id, text, list(answers))

    def judgement(self, place: str, split: str, query: str, passage: str, grade: int = 1) -> None:
        """A judgement of a passage or document; a repeated one must agree with the first, and is kept once."""
        kind, ids = ("document", self.documents) if len(self.documents) else ("passage", self.passages)
        pair = self._query(place, split, query, "judgement"), _row(ids, place, passage, kind, "judgement")
        judged = self.judged.setdefault(split, {})
        if pair not in judged:
            judged[pair] = grade
            rows = self.starts[pair[1] : pair[1] + 2] if len(self.documents) else (pair[1], pair[1] + 1)
            for row in range(*rows):
                self._table(f"judgements.{split}", JUDGEMENTS).add(pair[0], row, grade)
        elif judged[pair] != grade:
            raise UserError(f"{place}: query '{query}', {kind} '{passage}': grade {grade}, but {judged[pair]} before")

    def listed(self, place: str, list: str, split: str, query: str, passages: Iterable[str]) -> None:
        """A query's passages in a list, in order; a repeated one counts once. Queries come in their rows' order."""
        what = f"list '{list}'"
        row, table = self._query(place, split, query, what), self.list_table(list, split)
        for passage in dict.fromkeys(_row(self.passages, place, passage, "passage", what) for passage in passages):
            table.add(row, passage)

    def list_table(self, list: str, split: str) -> "TableWriter":
        """A list's table of (query row, passage row): by query, each query's passages in order and each once."""
        table = self._table(f"lists.{list}.{split}", LISTED)
        self.lists.setdefault(list, {})[split] = table
        return table

    def finish(self) -> None:
        """Close the files, and note what is in them; `judgements` are counted as they were given."""
        for split in self.queries:
            self._table(f"judgements.{split}", JUDGEMENTS)
        for table in self.tables.values():
            table.close()
        if self.empty:
            log.warning("warning: %s of %s passages have no text; kept", f"{self.empty:,}", f"{self.count:,}")
        self.artifact.facts |= {
            "passages": self.count,
            "empty_passages": self.empty,
            "queries": {split: len(ids) for split, ids in self.queries.items()},
            "judgements": {split: len(self.judged.get(split, ())) for split in self.queries},
        }
        relevant = {split: grade for split, grade in self.relevant.items() if grade > 1}
        judged = DOCUMENTS if len(self.documents) else None
        lists = {list: {split: table.count for split, table in of.items()} for list, of in self.lists.items()}
        more = {"relevant": relevant, "judged": judged, "lists": lists}
        self.artifact.facts |= {name: fact for name, fact in more.items() if fact}

    def _query(self, place: str, split: str, id: str, what: str) -> int:
        return _row(self.queries.get(split, Ids()), place, id, "query", what)

    def _table(self, name: str, schema: pa.Schema) -> "TableWriter":
        if name not in self.tables:
            self.tables[name] = TableWriter(self.artifact.path(f"{name}.parquet"), schema)
        return self.tables[name]


class TableWriter:
    """Rows to a Parquet file, a batch at a time."""

    def __init__(self, path: Path, schema: pa.Schema):
        self.file = pq.ParquetWriter(path, schema, compression="zstd")
        self.schema = schema
        self.rows: list[tuple] = []
        self.count = 0  # rows written

    def add(self, *row) -> None:
        self.rows.append(row)
        if len(self.rows) == BATCH:
            self._flush()

    def write(self, columns: Iterable) -> None:
        """Many rows at once, column by column."""
        self._flush()
        arrays = [pa.array(column, type) for column, type in zip(columns, self.schema.types, strict=True)]
        self.file.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
        self.count += len(arrays[0])

    def close(self) -> None:
        self._flush()
        self.file.close()

    def _flush(self) -> None:
        rows, self.rows = self.rows, []
        if rows:
            self.write(zip(*rows, strict=True))


def _add(ids: Ids, place: str, id: str, kind: str) -> None:
    if not id:
        raise UserError(f"{place}: a {kind} without an id")
    if not ids.add(id):
        raise UserError(f"{place}: {kind} id '{id}' was used before")


def _row(ids: Ids, place: str, id: str, kind: str, what: str) -> int:
    if (row := ids.get(id)) is None:
        raise UserError(f"{place}: {what} names unknown {kind} '{id}'")
    return row


@dataclass
class Dataset:
    """A prepared dataset, read column by column."""

    manifest: Path

    @property
    def splits(self) -> list[str]:
        return list(read_manifest(self.manifest)["facts"]["queries"])

    def rows(self, table: str) -> int:
        return pq.ParquetFile(member(self.manifest, f"{table}.parquet")).metadata.num_rows

    def column(self, table: str, column: str) -> pa.Array:
        return pq.read_table(member(self.manifest, f"{table}.parquet"), columns=[column])[column].combine_chunks()

    def batches(self, table: str, columns: list[str], size: int = BATCH) -> Iterator[pa.RecordBatch]:
        return pq.ParquetFile(member(self.manifest, f"{table}.parquet")).iter_batches(size, columns=columns)

    def documents(self) -> np.ndarray:
        """For each passage, the number of its document, counted in order of first appearance."""
        path = member(self.manifest, "corpus.parquet")
        column = pq.read_table(path, columns=["document"], read_dictionary=["document"])["document"]
        return column.unify_dictionaries().combine_chunks().indices.to_numpy()

    @property
    def judges_documents(self) -> bool:
        """Whether judgements are of whole documents; all passages of a judged one are then in them."""
        return read_manifest(self.manifest)["facts"].get("judged") == DOCUMENTS

    def judgements(self, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(query rows, passage rows, grades) of a split."""
        table = pq.read_table(member(self.manifest, f"judgements.{split}.parquet"))
        return tuple(table[name].to_numpy() for name in ("query", "passage", "grade"))

    def relevant(self, split: str) -> int:
        """The grade from which a passage of a split is relevant."""
        return read_manifest(self.manifest)["facts"].get("relevant", {}).get(split, 1)

    def positives(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """(query rows, passage rows) of the judgements that say relevant."""
        query, passage, grade = self.judgements(split)
        relevant = grade >= self.relevant(split)
        return query[relevant], passage[relevant]

    def listed(self, list: str, split: str) -> tuple[np.ndarray, np.ndarray]:
        """(query rows, passage rows) of a list: by query, each query's passages in the list's order."""
        table = pq.read_table(member(self.manifest, f"lists.{list}.{split}.parquet"))
        return tuple(table[name].to_numpy() for name in LISTED.names)
