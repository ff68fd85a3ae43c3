"""Columns read many rows at once are those that `records` reads row by row; what it refuses is refused alike."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.data import columns, reading
from dewpoint.data.reading import records, text
from dewpoint.errors import UserError

NAMES = ["a", "b"]


def slowly(path: Path) -> Iterator[tuple]:
    for place, row in records(path):
        yield tuple(None if row.get(name) is None else text(row, name, place) for name in NAMES)


def quickly(path: Path) -> Iterator[tuple]:
    for batch in columns.batches(path, NAMES):
        assert batch.schema == pa.schema([(name, pa.string()) for name in NAMES])
        yield from zip(*(batch[name].to_pylist() for name in NAMES), strict=True)


def outcome(read, path: Path):
    """The rows, or that one line says which is wrong; where several are, it may be any of them."""
    try:
        return list(read(path))
    except UserError as error:
        assert str(error).startswith(f"{path}:")
        return "refused"


LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff")
TEXT = st.text(LETTERS, max_size=6)
FINE = TEXT | st.none() | st.integers(-(2**70), 2**70)
ANY = FINE | st.sampled_from([1.5, True, [], {"a": 1}, "\ud800", "\ud83d\ude00"])
ROW = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), FINE, max_size=4)
ODD_ROW = st.dictionaries(st.sampled_from(["a", "b", "c"]), ANY, max_size=3)
LINE = st.builds(json.dumps, ROW, ensure_ascii=st.booleans())
ODD_LINE = st.builds(json.dumps, ODD_ROW) | st.sampled_from(
    [
        "",
        " \t",
        "null",
        ' {"a": "x"}',
        '{"c": [null, 1]}',
        '{"c": {"a": "x"}}',
        '{"c": NaN, "b": "x"}',
        "[]",
        "3",
        "{",
        '{"a": "x"} {"a": "y"}',
        '{"a": "x"}\r{"a": "y"}',
        '{"a": "x", "a": "y"}',
    ]
)


@settings(max_examples=200)
@given(
    st.lists(LINE | ODD_LINE, max_size=25),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([1, 30, 1 << 20]),
    st.sampled_from([1, 60, 1 << 20]),
)
def test_json_lines(tmp_path_factory, lines, end, ended, block, odd):
    """With odd lines among them, ended or not, whatever is parsed at once."""
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    path.write_bytes((end.join(lines) + end * ended).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "LINES", block)
        patch.setattr(columns, "ODD", odd)
        assert outcome(quickly, path) == outcome(slowly, path)


@settings(max_examples=50)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=9), st.sampled_from([1, 2, 50_000]))
def test_every_format_gives_the_same_columns(tmp_path_factory, rows, batch):
    folder = tmp_path_factory.mktemp("formats")
    rows = [tuple(cell.replace("\n", "").replace("\r", "").replace("\t", "") for cell in row) for row in rows]
    quoted = [",".join(f'"{cell.replace(chr(34), 2 * chr(34))}"' for cell in row) for row in [("b", "a"), *rows]]
    (folder / "a.csv").write_bytes("".join(f"{row}\n" for row in quoted).encode())
    (folder / "a.tsv").write_bytes("".join(f"{b}\t{a}\n" for b, a in [("b", "a"), *rows]).encode())
    (folder / "a.jsonl").write_text("".join(json.dumps({"b": b, "c": 1, "a": a}) + "\n" for b, a in rows))
    table = pa.table({"c": [1] * len(rows), **{name: [row[at] for row in rows] for at, name in enumerate("ba")}})
    for type in (pa.string(), pa.large_string()):
        types = pa.schema([("c", pa.int64()), ("b", type), ("a", type)])
        pq.write_table(table.cast(types), folder / f"{type}.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "BATCH", batch)
        for path in sorted(folder.iterdir()):
            assert list(quickly(path)) == [(a, b) for b, a in rows], path.name


@pytest.mark.parametrize(
    "table",
    [
        {"a": [1, None], "b": ["x", None]},
        {"a": ["x"]},
        {"c": [1, 2]},
        {"a": [b"x"]},
        {"a": [1.5]},
        {"a": [["x"]], "b": ["y"]},
        {"a": pa.array(["x", "y"]).dictionary_encode()},
    ],
)
def test_columns_of_parquet(tmp_path, table):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(table), path)
    assert outcome(quickly, path) == outcome(slowly, path)


def test_parquet_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.parquet"
    text = pa.StringArray.from_buffers(1, *pa.array([b"\xff"]).buffers()[1:])
    pq.write_table(pa.table({"a": text}), path)
    for read in (slowly, quickly):
        with pytest.raises(UserError, match=rf"^{path}: not a readable Parquet file \("):
            list(read(path))


@given(st.lists(st.sampled_from([1, -5, 2**62, 2**63, 2**64, 1.0, "7", None, True, [1], {}]), max_size=9))
def test_whole_numbers(tmp_path_factory, values):
    """What is none is null."""
    path = tmp_path_factory.mktemp("numbers") / "dump"
    path.write_text("".join(json.dumps({"a": "x", "n": value}) + "\n" for value in values))
    found = [row for batch in columns.json_batches(path, ["a"], ["n"]) for row in batch["n"].to_pylist()]
    assert found == [value if type(value) is int and value < 2**63 else None for value in values]


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", 1000)
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": "x"}\n{"a": "' + "y" * 3000 + '"}\n')
    for block in (8, 500):
        monkeypatch.setattr(columns, "LINES", block)
        with pytest.raises(UserError, match=rf"^{path}:2: more than 1,000 bytes without the end of a line"):
            list(quickly(path))


def test_batches_are_gathered(tmp_path, monkeypatch):
    """Into as many rows as a table is written by, or fewer where texts are long."""
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"a": "x" * row}) + "\n" for row in range(100)))
    monkeypatch.setattr(columns, "LINES", 1)
    monkeypatch.setattr(columns, "BATCH", 30)
    assert [len(batch) for batch in columns.batches(path, NAMES)] == [30, 30, 30, 10]
    monkeypatch.setattr(columns, "BYTES", 1000)
    sizes = [len(batch) for batch in columns.batches(path, NAMES)]
    assert sum(sizes) == 100 and sizes[0] == 30 > max(sizes[1:])
