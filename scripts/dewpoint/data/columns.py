"""Columns of other people's files, many rows at once: what `reading.records` gives, for rows by the hundred million.

What is plainly right is parsed by pyarrow; around what is not, rows are read one by one, which says what is wrong.
Only of keys that are not read it may go unnoticed that one is there twice.
"""

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from dewpoint.data import reading
from dewpoint.data.dataset import BATCH
from dewpoint.data.parquet import row_batches
from dewpoint.errors import UserError

LINES = 1 << 21  # bytes of JSON lines parsed at once
ROWS = 1000  # that are read one by one
LARGEST = 2**63  # of a whole number
ODD = 1 << 14  # bytes with an odd row that are no longer halved
BYTES = 1 << 26  # of a batch's texts


def batches(path: Path, texts: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """Columns of texts; null where a row has none, and throughout where no row has the column."""
    schema = _schema(texts)
    if reading.plain(path).suffix in (".jsonl", ".json"):
        return gathered(_json(path, schema))
    return gathered(_parquet(path, schema) if _is_plain(path, schema) else _rows(reading.records(path), schema))


def json_batches(path: Path, texts: Iterable[str], numbers: Iterable[str] = ()) -> Iterator[pa.RecordBatch]:
    """The same of JSON lines, whatever the file is called, and of whole numbers; what is none is null."""
    return gathered(_json(path, _schema(texts, numbers)))


def gathered(parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Small batches as larger ones, of BATCH rows or BYTES bytes at least."""
    held, rows, size = [], 0, 0
    for part in parts:
        held.append(part)
        rows, size = rows + part.num_rows, size + part.nbytes
        if rows >= BATCH or size >= BYTES:
            yield pa.concat_batches(held)
            held, rows, size = [], 0, 0
    if rows:
        yield pa.concat_batches(held)


def missing(path: Path, column: str) -> UserError:
    """What to say of a file in which no row has a column that must be there."""
    _, row = next(reading.records(path))
    return UserError(f"{path}: no row has a text in column '{column}'; there is {', '.join(map(str, row)) or 'none'}")


# --- JSON lines ---------------------------------------------------------------------------------


def _json(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for before, block in reading.blocks_of_lines(path, LINES):
        yield from _parsed(block, path, before, schema)


def _parsed(block: bytes, path: Path, before: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Of whole lines, which are halved around one that pyarrow does not take; the few left are read one by one."""
    if (found := _at_once(block, schema)) is not None:
        yield from found
    elif len(block) > ODD and 0 < (middle := block.find(b"\n", len(block) // 2) + 1) < len(block):
        yield from _parsed(block[:middle], path, before, schema)
        yield from _parsed(block[middle:], path, before + block.count(b"\n", 0, middle), schema)
    else:
        yield from _rows(reading.json_rows(reading.lines_of(io.BytesIO(block), path, before)), schema)


def _at_once(block: bytes, schema: pa.Schema) -> list[pa.RecordBatch] | None:
    """None where a line does not begin as an object, pyarrow does not take it, or it sees other rows than lines.

    A null in place of the first object would end pyarrow 26 by a segmentation fault.
    """
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    if not block.startswith(b"{") or block.count(b"\n{") != lines - 1:
        return None
    try:
        block.decode()  # which pyarrow takes for granted
        table = pyarrow.json.read_json(
            pa.BufferReader(block),
            pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            pyarrow.json.ParseOptions(schema, unexpected_field_behavior="ignore"),
        )
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    return table.to_batches() if table.num_rows == lines else None


# --- other formats ------------------------------------------------------------------------------


def _is_plain(path: Path, schema: pa.Schema) -> bool:
    """Whether it is a Parquet file whose columns are there at most once, and hold what the schema says."""
    if path.suffix != ".parquet":
        return False
    try:
        fields = [field for field in pq.read_schema(path) if field.name in schema.names]
    except (pa.ArrowException, OSError):
        return False
    once = len({field.name for field in fields}) == len(fields)
    return once and all(field.type == schema.field(field.name).type for field in fields)


def _parquet(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    there = [name for name in schema.names if name in pq.read_schema(path).names]
    try:
        for batch in row_batches(path, there, BATCH):
            batch.validate(full=True)  # texts need not be UTF-8
            columns = [
                batch[field.name] if field.name in there else pa.nulls(len(batch), field.type) for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
    except (pa.ArrowException, OSError) as error:
        raise reading.not_parquet(path, error) from None


def _rows(rows: Iterator[tuple[str, dict[str, Any]]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    while held := list(islice(rows, ROWS)):
        columns = [(_texts if pa.types.is_string(field.type) else _numbers)(held, field.name) for field in schema]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _schema(texts: Iterable[str], numbers: Iterable[str] = ()) -> pa.Schema:
    return pa.schema(list((dict.fromkeys(texts, pa.string()) | dict.fromkeys(numbers, pa.int64())).items()))


def _texts(rows: list[tuple[str, dict[str, Any]]], column: str) -> pa.Array:
    values = [row.get(column) for _, row in rows]
    try:
        if {*map(type, values)} <= {str, NoneType}:
            return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half a character
        pass
    texts = (None if row.get(column) is None else reading.text(row, column, place) for place, row in rows)
    return pa.array(texts, pa.string())


def _numbers(rows: list[tuple[str, dict[str, Any]]], column: str) -> pa.Array:
    values = (row.get(column) for _, row in rows)
    whole = (value if type(value) is int and abs(value) < LARGEST else None for value in values)
    return pa.array(whole, pa.int64())
