"""Datasets: passages, queries and judgements, or examples of texts, as Parquet; every reference is a row number."""

import logging
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.appended import Appended
from dewpoint.data.ids import Ids
from dewpoint.data.parquet import row_batches
from dewpoint.data.seen import are_blank, are_seen, is_blank, is_seen
from dewpoint.errors import UserError

log = logging.getLogger(__name__)

CORPUS = pa.schema([("id", pa.string()), ("title", pa.string()), ("text", pa.string()), ("document", pa.string())])
QUERIES = pa.schema([("id", pa.string()), ("text", pa.string()), ("answers", pa.list_(pa.string()))])
JUDGEMENTS = pa.schema([("query", pa.int32()), ("passage", pa.int32()), ("grade", pa.float32())])
LISTED = pa.schema([("query", pa.int32()), ("passage", pa.int32())])
PROVENANCE = pa.schema(
    [("query", pa.int32()), ("set", pa.int32()), ("document", pa.int32()), ("paragraph", pa.int32())]
)
EXAMPLES = pa.schema([("texts", pa.list_(pa.string())), ("score", pa.float32())])
CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
UNNAMED = -(2**31)  # a paragraph
LARGEST = float(np.finfo(np.float32).max)
BATCH = 50_000
DOCUMENTS = "documents"  # what is judged, where it is not passages


class DatasetWriter:
    """Checks rows as a source hands them over, and streams them to Parquet. Passages come before judgements.

    A dataset has passages, examples, or both.
    """

    def __init__(self, artifact: Artifact):
        self.artifact = artifact
        self.tables: dict[str, TableWriter] = {}
        self.passages = Ids()
        self.documents = Ids()
        self.starts = array("q")  # each document's first passage
        self.paragraphs = array("i")  # of each passage the first that was cut from the same paragraph
        self.queries: dict[str, Ids] = {}
        self.judged: dict[str, dict[tuple[int, int], float]] = {}
        self.at_once: dict[str, int] = {}  # judgements that came many at once
        self.positives: dict[str, Appended] = {}  # the one passage of each query
        self.relevant: dict[str, float] = {}  # the grade from which a passage is, where it is not 1
        self.examples: dict[str, tuple[int, bool]] = {}  # (texts of each, whether they have scores)
        self.lists: dict[str, dict[str, TableWriter]] = {}
        self.highest: dict[str, float] = {}  # grade of a split
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
        self.empty += is_blank(text)
        self._table("corpus", CORPUS).add(id, title, text, document)

    def numbered_passages(self, text: pa.Array, title: pa.Array | None = None) -> None:
        """Many at once, whose ids are their rows; each is its own document."""
        ids = _numbers(self.count, len(text))
        title = pa.array([""] * len(text)) if title is None else title
        self.count += len(text)
        self.empty += int(are_blank(text).sum())
        self._table("corpus", CORPUS).write([ids, title, text, ids])

    def cut(self, passages: Iterable[tuple[str, str]], title: str, document: str) -> None:
        """The (id, text) of passages that one paragraph was cut into; all of a corpus come so, or none."""
        first = self.count
        for id, text in passages:
            self.paragraph(id, text, title, document)
        self.paragraphs.extend([first] * (self.count - first))

    def end_of_corpus(self, place: str) -> None:
        """All passages have come: refuse a dataset that could not be searched."""
        if not self.count:
            raise UserError(f"{place}: the corpus is empty, no passage was found")
        self.starts.append(self.count)

    def query(self, place: str, split: str, id: str, text: str, answers: tuple[str, ...] = ()) -> None:
        if not is_seen(text):
            raise UserError(f"{place}: query '{id}' has no text")
        _add(self.queries.setdefault(split, Ids()), place, id, f"{split} query")
        self._table(f"queries.{split}", QUERIES).add(id, text, list(answers))

    def numbered_queries(self, place: str, split: str, text: pa.Array) -> None:
        """Many queries at once, whose ids are their rows."""
        known = self.queries.setdefault(split, Ids())
        ids = _numbers(len(known), len(text))
        if len(without := np.flatnonzero(~are_seen(text))):
            raise UserError(f"{place}: query '{ids[int(without[0])]}' has no text")
        if not known.add_rows(len(text)):
            raise UserError(f"{place}: a {split} query's id was the number of another's row before")
        answers = pa.ListArray.from_arrays(np.zeros(len(text) + 1, np.int32), pa.array([], pa.string()))
        self._table(f"queries.{split}", QUERIES).write([ids, text, answers])

    def judgement(self, place: str, split: str, query: str, passage: str, grade: float = 1) -> None:
        """A judgement of a passage or document; a repeated one must agree with the first, and is kept once."""
        kind, ids = ("document", self.documents) if len(self.documents) else ("passage", self.passages)
        pair = self._query(place, split, query, "judgement"), _row(ids, place, passage, kind, "judgement")
        judged = self.judged.setdefault(split, {})
        self.highest[split] = max(grade, self.highest.get(split, grade))
        if pair not in judged:
            judged[pair] = grade
            rows = self.starts[pair[1] : pair[1] + 2] if len(self.documents) else (pair[1], pair[1] + 1)
            for row in range(*rows):
                self._table(f"judgements.{split}", JUDGEMENTS).add(pair[0], row, grade)
        elif judged[pair] != grade:
            both = f"grade {plain_number(grade)}, but {plain_number(judged[pair])} before"
            raise UserError(f"{place}: query '{query}', {kind} '{passage}': {both}")

    def pairs(
        self, place: str, split: str, query: np.ndarray, passage: np.ndarray, grade: np.ndarray | None = None
    ) -> None:
        """Many judgements at once, by rows, of grade 1 where none is given; nothing is remembered of them.

        So no pair may come twice, here or as `judgement`: that is for the source to know.
        """
        for what, row, count in (("query", query, len(self.queries.get(split, ()))), ("passage", passage, self.count)):
            wrong = np.flatnonzero((row < 0) | (row >= count))
            if len(wrong):
                raise UserError(f"{place}: judgement names {what} row {row[wrong[0]]}, there are {count:,}")
        grade = np.ones(len(query), np.float32) if grade is None else grade
        self._table(f"judgements.{split}", JUDGEMENTS).write([query, passage, grade])
        self.at_once[split] = self.at_once.get(split, 0) + len(query)
        if len(grade):
            self.highest[split] = max(float(grade.max()), self.highest.get(split, -LARGEST))

    def paired(self, place: str, split: str, passage: np.ndarray) -> None:
        """The one relevant passage, by its row, of each of the next queries: for splits of pairs by the million.

        They are memory-mapped when read; such a split has no other judgements.
        """
        wrong = np.flatnonzero((passage < 0) | (passage >= self.count))
        if len(wrong):
            raise UserError(f"{place}: a pair names passage row {passage[wrong[0]]}, there are {self.count:,}")
        if split not in self.positives:
            self.positives[split] = Appended(self.artifact.path(f"positives.{split}.npy"), np.int32)
        self.positives[split].append(passage)
        self.highest[split] = 1

    def provenance(self, place: str, split: str, query: int, sets: Iterable[Iterable[tuple[int, int | None]]]) -> None:
        """The sets of evidence of a query, by its row: whoever has found all that is in one has found enough.

        Evidence is a document and a paragraph of it, each the row of its first passage. One of no passage, which nobody
        can find, is a number below 0, another one for each of a query's; None is a paragraph that is not named.
        """
        table, queries = self._table(f"provenance.{split}", PROVENANCE), len(self.queries.get(split, ()))
        if not 0 <= query < queries:
            raise UserError(f"{place}: provenance names query row {query}, there are {queries:,}")
        for number, evidence in enumerate(sets):
            for document, paragraph in dict.fromkeys(evidence):
                for row in (document, -1 if paragraph is None else paragraph):
                    if row >= len(self.paragraphs) or (row >= 0 and self.paragraphs[row] != row):
                        raise UserError(f"{place}: provenance names passage row {row}, where no paragraph begins")
                table.add(query, number, document, paragraph)

    def text_pairs(
        self, place: str, split: str, query: pa.Array, passage: pa.Array, title: pa.Array | None = None
    ) -> None:
        """Many queries at once, each with its one relevant passage; the ids of both are their rows."""
        rows = np.arange(self.count, self.count + len(passage))
        self.numbered_passages(passage, title)
        self.numbered_queries(place, split, query)
        self.paired(place, split, rows)

    def example(self, place: str, split: str, texts: tuple[str, ...], score: float | None = None) -> None:
        """Texts that belong together, such as a pair or a triplet, and how alike they are, if that is known.

        All of a split are of as many texts, and all or none have a score.
        """
        if len(texts) < 2:
            raise UserError(f"{place}: an example has two texts or more, this one {len(texts)}")
        for number, text in enumerate(texts, 1):
            if not text.strip():
                raise UserError(f"{place}: text {number} of the example is empty")
        if score is not None and not abs(score) <= LARGEST:
            raise UserError(f"{place}: score {score} is not a finite number")
        count, scored = self.examples.setdefault(split, (len(texts), score is not None))
        if len(texts) != count:
            raise UserError(f"{place}: an example of {len(texts)} texts, those of {split} before have {count}")
        if scored != (score is not None):
            has, have = ("no score", "one") if scored else ("a score", "none")
            raise UserError(f"{place}: an example with {has}, those of {split} before have {have}")
        self._table(f"examples.{split}", EXAMPLES).add(texts, score)

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
        if not self.count and not self.examples:
            raise UserError(f"{self.artifact.folder}: no passage and no example was found; a dataset needs either")
        for split, ids in self.queries.items():
            if split not in self.positives:
                self._table(f"judgements.{split}", JUDGEMENTS)
            elif self.positives[split].count != len(ids) or f"judgements.{split}" in self.tables:
                raise ValueError(f"{split}: {self.positives[split].count} pairs of {len(ids)} queries, and no others")
        if self.paragraphs:
            if len(self.paragraphs) != self.count:
                raise ValueError(f"{len(self.paragraphs)} of {self.count} passages are cut from paragraphs, not all")
            np.save(self.artifact.path("paragraphs.npy"), np.frombuffer(self.paragraphs, np.int32))
        for file in (*self.tables.values(), *self.positives.values()):
            file.close()
        if self.empty:
            log.warning("warning: %s of %s passages have no text; kept", f"{self.empty:,}", f"{self.count:,}")
        self.artifact.facts |= {
            "passages": self.count,
            "empty_passages": self.empty,
            "queries": {split: len(ids) for split, ids in self.queries.items()},
            "judgements": {split: self._judgements(split) for split in self.queries},
        }
        relevant = {split: plain_number(grade) for split, grade in self.relevant.items() if grade != 1}
        judged = DOCUMENTS if len(self.documents) else None
        lists = {list: {split: table.count for split, table in of.items()} for list, of in self.lists.items()}
        examples = {split: self.tables[f"examples.{split}"].count for split in self.examples}
        proven = {
            split: self.tables[name].count for split in self.queries if (name := f"provenance.{split}") in self.tables
        }
        more = {"relevant": relevant, "judged": judged, "lists": lists, "provenance": proven, "examples": examples}
        self.artifact.facts |= {name: fact for name, fact in more.items() if fact}

    def refuse_nothing_relevant(self) -> None:
        """A split that is judged, and in which nothing is found to be relevant, has grades of another meaning."""
        for split, highest in self.highest.items():
            if highest < (least := self.relevant.get(split, 1)):
                grades = f"no grade above {plain_number(highest)}, and {plain_number(least)} is relevant"
                raise UserError(
                    f"{self.artifact.folder}: {split} has {grades}; say `relevant:` as these grades mean it"
                )

    def _judgements(self, split: str) -> int:
        """How many were given."""
        if split in self.positives:
            return self.positives[split].count
        return len(self.judged.get(split, ())) + self.at_once.get(split, 0)

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
        arrays = [
            column if isinstance(column, pa.Array) else pa.array(column, type)
            for column, type in zip(columns, self.schema.types, strict=True)
        ]
        self.file.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
        self.count += len(arrays[0])

    def close(self) -> None:
        self._flush()
        self.file.close()

    def _flush(self) -> None:
        rows, self.rows = self.rows, []
        if rows:
            self.write(zip(*rows, strict=True))


def plain_number(value: float) -> float:
    """As one would write it: 2 for 2.0."""
    return int(value) if value == int(value) else value


def _numbers(first: int, count: int) -> pa.Array:
    """So many whole numbers, as ids are written."""
    return pa.array(np.arange(first, first + count)).cast(pa.string())


def _add(ids: Ids, place: str, id: str, kind: str) -> None:
    if not id or id.isspace():
        raise UserError(f"{place}: a {kind} without an id")
    if unwanted := CONTROL.search(id):
        raise UserError(f"{place}: {kind} id {id!r} has control character U+{ord(unwanted[0]):04X} in it")
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
        """Those of queries."""
        return list(read_manifest(self.manifest)["facts"]["queries"])

    @property
    def example_splits(self) -> list[str]:
        return list(read_manifest(self.manifest)["facts"].get("examples", {}))

    @property
    def proven_splits(self) -> list[str]:
        """Those whose queries have sets of evidence."""
        return list(read_manifest(self.manifest)["facts"].get("provenance", {}))

    @property
    def has_corpus(self) -> bool:
        return "corpus.parquet" in read_manifest(self.manifest)["files"]

    def rows(self, table: str) -> int:
        return pq.ParquetFile(self._file(table)).metadata.num_rows

    def column(self, table: str, column: str) -> pa.Array:
        return pq.read_table(self._file(table), columns=[column])[column].combine_chunks()

    def batches(self, table: str, columns: list[str], size: int = BATCH) -> Iterator[pa.RecordBatch]:
        return row_batches(self._file(table), columns, size)

    def at(self, table: str, rows: np.ndarray, columns: list[str]) -> Iterator[tuple[int, dict]]:
        """(row, its columns) of some rows, each once and rising; the table streams by."""
        rows, first = np.unique(rows), 0
        for batch in self.batches(table, columns):
            own = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + len(batch))]
            yield from zip(own.tolist(), batch.take(pa.array(own - first)).to_pylist(), strict=True)
            first += len(batch)

    def documents(self) -> np.ndarray:
        """For each passage, the number of its document, counted in order of first appearance."""
        path = self._file("corpus")
        column = pq.read_table(path, columns=["document"], read_dictionary=["document"])["document"]
        return column.unify_dictionaries().combine_chunks().indices.to_numpy()

    @property
    def judges_documents(self) -> bool:
        """Whether judgements are of whole documents; all passages of a judged one are then in them."""
        return read_manifest(self.manifest)["facts"].get("judged") == DOCUMENTS

    def judgements(self, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(query rows, passage rows, grades) of a split."""
        if self.is_paired(split):
            passage = self.paired(split)
            return np.arange(len(passage), dtype=np.int32), np.asarray(passage), np.ones(len(passage), np.float32)
        table = pq.read_table(self._file(f"judgements.{split}"))
        return tuple(table[name].to_numpy() for name in ("query", "passage", "grade"))

    def is_paired(self, split: str) -> bool:
        """Whether each query of a split has one relevant passage, and nothing else is judged."""
        return f"positives.{split}.npy" in read_manifest(self.manifest)["files"]

    def paired(self, split: str) -> np.ndarray:
        """The passage row of each query of such a split, memory-mapped."""
        return np.load(member(self.manifest, f"positives.{split}.npy"), mmap_mode="r")

    def relevant(self, split: str) -> float:
        """The grade from which a passage of a split is relevant."""
        return read_manifest(self.manifest)["facts"].get("relevant", {}).get(split, 1)

    def positives(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """(query rows, passage rows) of the judgements that say relevant."""
        query, passage, grade = self.judgements(split)
        relevant = grade >= self.relevant(split)
        return query[relevant], passage[relevant]

    def listed(self, list: str, split: str) -> tuple[np.ndarray, np.ndarray]:
        """(query rows, passage rows) of a list: by query, each query's passages in the list's order."""
        table = pq.read_table(self._file(f"lists.{list}.{split}"))
        return tuple(table[name].to_numpy() for name in LISTED.names)

    def provenance(self, split: str) -> tuple[np.ndarray, ...]:
        """(query rows, their sets' numbers, documents, paragraphs) of evidence as it was written; UNNAMED for None."""
        table = pq.read_table(self._file(f"provenance.{split}"))
        return tuple(pc.fill_null(table[name], UNNAMED).to_numpy() for name in PROVENANCE.names)

    def paragraphs(self) -> np.ndarray:
        """For each passage the first that was cut from the same paragraph, memory-mapped."""
        return np.load(member(self.manifest, "paragraphs.npy"), mmap_mode="r")

    def examples(self, split: str) -> tuple[list[pa.ChunkedArray], np.ndarray | None]:
        """(all first texts, all second texts, …; scores) of a split; None where it has no scores."""
        table = pq.read_table(self._file(f"examples.{split}"))
        texts = [pc.list_element(table["texts"], position) for position in range(len(table["texts"][0]))]
        return texts, None if table["score"].null_count else table["score"].to_numpy()

    def _file(self, table: str) -> Path:
        files = read_manifest(self.manifest)["files"]
        if f"{table}.parquet" not in files:
            has = ", ".join(name.removesuffix(".parquet") for name in files)
            raise UserError(f"{self.manifest.parent}: this dataset has no {table}, only {has}")
        return member(self.manifest, f"{table}.parquet")
