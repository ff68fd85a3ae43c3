"""Datasets: passages, queries and judgements as Parquet, every reference a row number."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.errors import UserError

log = logging.getLogger(__name__)

CORPUS = pa.schema([("id", pa.string()), ("title", pa.string()), ("text", pa.string()), ("document", pa.string())])
QUERIES = pa.schema([("id", pa.string()), ("text", pa.string()), ("answers", pa.list_(pa.string()))])
JUDGEMENTS = pa.schema([("query", pa.int32()), ("passage", pa.int32()), ("grade", pa.int32())])
BATCH = 50_000


class DatasetWriter:
    """Checks rows as a source hands them over, and streams them to Parquet. Passages come before judgements."""

    def __init__(self, artifact: Artifact):
        self.artifact = artifact
        self.tables: dict[str, TableWriter] = {}
        self.passages: dict[str, int] = {}
        self.queries: dict[str, dict[str, int]] = {}
        self.judged: dict[str, dict[tuple[int, int], int]] = {}
        self.count = self.empty = 0

    def passage(self, place: str, id: str, text: str, title: str = "", document: str = "") -> None:
        """A passage; one without a document is its own."""
        _add(self.passages, place, id, "passage")
        self.paragraph(id, text, title, document or id)

    def paragraph(self, id: str, text: str, title: str, document: str) -> None:
        """A passage that nothing judges, with an id that its source made up to be unique; it is not remembered."""
        self.count += 1
        self.empty += not text.strip()
        self._table("corpus", CORPUS).add(id, title, text, document)

    def end_of_corpus(self, place: str) -> None:
        """All passages have come: refuse a dataset that could not be searched."""
        if not self.count:
            raise UserError(f"{place}: the corpus is empty, no passage was found")

    def query(self, place: str, split: str, id: str, text: str, answers: tuple[str, ...] = ()) -> None:
        if not text.strip():
            raise UserError(f"{place}: query '{id}' has no text")
        _add(self.queries.setdefault(split, {}), place, id, f"{split} query")
        self._table(f"queries.{split}", QUERIES).add(id, text, list(answers))

    def judgement(self, place: str, split: str, query: str, passage: str, grade: int = 1) -> None:
        """A judgement; a repeated one must agree with the first, and is kept once."""
        rows = self.queries.get(split, {}).get(query), self.passages.get(passage)
        for row, kind, id in zip(rows, ("query", "passage"), (query, passage), strict=True):
            if row is None:
                raise UserError(f"{place}: judgement names unknown {kind} '{id}'")
        judged = self.judged.setdefault(split, {})
        if rows not in judged:
            judged[rows] = grade
            self._table(f"judgements.{split}", JUDGEMENTS).add(*rows, grade)
        elif judged[rows] != grade:
            raise UserError(f"{place}: query '{query}', passage '{passage}': grade {grade}, but {judged[rows]} before")

    def finish(self) -> None:
        """Close the files, and note what is in them."""
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

    def add(self, *row) -> None:
        self.rows.append(row)
        if len(self.rows) == BATCH:
            self._flush()

    def close(self) -> None:
        self._flush()
        self.file.close()

    def _flush(self) -> None:
        if self.rows:
            columns = zip(zip(*self.rows, strict=True), self.schema.types, strict=True)
            arrays = [pa.array(column, type) for column, type in columns]
            self.file.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
        self.rows = []


def _add(rows: dict[str, int], place: str, id: str, kind: str) -> None:
    if not id:
        raise UserError(f"{place}: a {kind} without an id")
    if id in rows:
        raise UserError(f"{place}: {kind} id '{id}' was used before")
    rows[id] = len(rows)


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
        return read_manifest(self.manifest)["facts"].get("judged") == "documents"

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
