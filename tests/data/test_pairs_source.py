"""Pairs of texts: rows with both become a query and its passage, in order; others are counted."""

import gzip
import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import columns, dataset
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.seen import is_seen
from dewpoint.program import Settings
from dewpoint.sources import pairs as source
from programs import fails_with, prepare, write_files, zstd


def pairs(folder, files, split="train", **columns):
    """Settings of a dataset with one split, of all the files."""
    write_files(folder, files)
    return {"source": "pairs", "pairs": {split: {"files": [f"{folder}/{name}" for name in files], "columns": columns}}}


def texts(manifest, table, *columns):
    return [tuple(row[name] for name in columns) for row in pq.read_table(manifest.parent / table).to_pylist()]


def found(manifest, split="train"):
    """(query, title, passage) of a split's pairs."""
    data = Dataset(manifest)
    passages = texts(manifest, "corpus.parquet", "title", "text")
    queries = texts(manifest, f"queries.{split}.parquet", "text")
    assert data.is_paired(split)
    return [(query, *passages[row]) for (query,), row in zip(queries, data.paired(split), strict=True)]


def test_two_splits(tmp_path):
    """Passages of all splits in order, whatever format a file has; ids are rows."""
    train = {"a.csv": "query,passage,title\nq1,p1,t1\n", "b.jsonl.gz": gzip.compress(b'{"query": "q2", "passage": 2}')}
    given = pairs(tmp_path, train)
    given["pairs"] |= pairs(tmp_path, {"c.tsv.zst": zstd(b"a\tb\nd1\te1\n")}, "dev", query="a", passage="b")["pairs"]
    manifest = prepare(tmp_path, given)
    assert found(manifest) == [("q1", "t1", "p1"), ("q2", "", "2")]
    assert found(manifest, "dev") == [("d1", "", "e1")]
    assert texts(manifest, "corpus.parquet", "id", "document") == [("0", "0"), ("1", "1"), ("2", "2")]
    assert texts(manifest, "queries.dev.parquet", "id") == [("0",)]
    assert read_manifest(manifest)["facts"] == {
        "passages": 3,
        "empty_passages": 0,
        "queries": {"train": 2, "dev": 1},
        "judgements": {"train": 2, "dev": 1},
        "left_out": {"train": {"empty": 0}, "dev": {"empty": 0}},
        "study": "study.yaml",
    }
    assert [part.tolist() for part in Dataset(manifest).judgements("dev")] == [[0], [2], [1]]


CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(["\u200b", " \n", "東京"])
CELL |= st.none() | st.integers(-9, 10**20)
ROW = st.dictionaries(st.sampled_from(["query", "passage", "title", "more"]), CELL)


@settings(max_examples=80)
@given(
    st.lists(st.lists(ROW, max_size=6), min_size=1, max_size=3), st.integers(1, 4), st.sampled_from(["\n", "\r\n\n"])
)
def test_as_rows_one_by_one(tmp_path_factory, contents, size, end):
    folder = tmp_path_factory.mktemp("pairs")
    fine = {"query": "q", "passage": "p"}
    contents = [[*rows, fine] for rows in contents]
    files = {f"{name}.jsonl": "".join(json.dumps(row) + end for row in rows) for name, rows in enumerate(contents)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "BATCH", size)
        patch.setattr(columns, "LINES", 40)
        manifest = prepare(folder, pairs(folder, files))
    rows = [
        tuple("" if row.get(name) is None else str(row[name]) for name in ("query", "title", "passage"))
        for of in contents
        for row in of
    ]
    both = [(query, title, passage) for query, title, passage in rows if is_seen(query) and is_seen(passage)]
    assert found(manifest) == both
    assert read_manifest(manifest)["facts"]["left_out"] == {"train": {"empty": len(rows) - len(both)}}
    assert texts(manifest, "corpus.parquet", "id") == [(str(row),) for row in range(len(both))]


def test_patterns_and_parquet(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "ba":
        table = pa.table({"passage": [f"{name}1", None], "query": [f"q{name}", "x"], "title": [None, "y"]})
        pq.write_table(table, tmp_path / f"in/{name}.parquet")
    given = {"source": "pairs", "pairs": {"train": {"files": [f"{tmp_path}/in/*"], "columns": {}}}}
    manifest = prepare(tmp_path, given)
    assert found(manifest) == [("qa", "", "a1"), ("qb", "", "b1")]
    assert read_manifest(manifest)["facts"]["left_out"] == {"train": {"empty": 2}}
    assert source.TextPairs(**given).files() == [f"{tmp_path}/in/a.parquet", f"{tmp_path}/in/b.parquet"]


def test_what_is_left_out_is_said(tmp_path, caplog):
    prepare(tmp_path, pairs(tmp_path, {"a.csv": "query,passage\nq,p\n,p\nq,\n"}))
    assert [one.getMessage() for one in caplog.records] == ["warning: train: 2 of 3 pairs lack a text; left out"]


@pytest.mark.parametrize(
    ("files", "columns", "message"),
    [
        ({"a.jsonl": '{"q": "x", "passage": "y"}\n'}, {}, "a.jsonl: no row has a text in column 'query'; there is q,"),
        (
            {"a.csv": "query,passage\nq,p\n"},
            {"title": "t"},
            "a.csv: no row has a text in column 't'; there is query, p",
        ),
        ({"a.tsv": "query\tpassage\nq\n"}, {}, "a.tsv:2: 1 fields, the header has 2"),
        ({"a.csv": "query,passage\n"}, {}, "a.csv: no row with both texts in it"),
        ({"a.csv": "query,passage\nq,\n"}, {}, "a.csv: no row with both texts in it"),
        (
            {"a.jsonl": '{"query": "x", "passage": ["y"]}\n'},
            {},
            "a.jsonl:1: column 'passage' holds a list, expected tex",
        ),
        (
            {"a.jsonl": '{"query": "x", "passage": "\\ud800"}\n'},
            {},
            "a.jsonl:1: column 'passage' holds half a character",
        ),
        ({"a.jsonl": '{"query": "x", "passage": "y"}\n{"qu'}, {}, "a.jsonl:2: not JSON ("),
        ({"a.jsonl": b'{"query": "x", "passage": "\xff"}\n'}, {}, "a.jsonl:1: not UTF-8 at byte 28 of the line; re-"),
        ({"a.jsonl": "null\n"}, {}, "a.jsonl:1: expected a JSON object, found NoneType"),
        ({"a.jsonl.gz": gzip.compress(b'{"query": "x"}\n' * 9)[:-9]}, {}, "a.jsonl.gz: broken .gz after line 0 ("),
        ({"a.parquet": b"PAR1"}, {}, "a.parquet: not a readable Parquet file ("),
        ({"a.txt": "x\ty\n"}, {}, "a.txt: unknown format '.txt'; use .csv or .tsv or .jsonl or .parquet, plain, "),
    ],
)
def test_faults(tmp_path, files, columns, message):
    fails_with(tmp_path, pairs(tmp_path, files, **columns), message)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_memory_does_not_grow_with_the_files(tmp_path, monkeypatch, suffix):
    """Nor do the writer's: of ids that count up nothing is kept."""
    monkeypatch.setattr(dataset, "BATCH", 100)
    monkeypatch.setattr(columns, "BATCH", 100)
    monkeypatch.setattr(columns, "LINES", 2000)

    def peak(rows):
        path = tmp_path / f"{rows}{suffix}"
        if suffix == ".parquet":
            pq.write_table(pa.table({"query": ["a?"] * rows, "passage": ["b"] * rows}), path)
        else:
            line = "a?,b\n" if suffix == ".csv" else '{"query": "a?", "passage": "b"}\n'
            path.write_text("query,passage\n" * (suffix == ".csv") + line * rows)
        writer = DatasetWriter(Artifact(tmp_path / f"{rows}/manifest.json"))
        given = Settings(train=Settings(files=[str(path)], columns=Settings()))
        tracemalloc.start()
        pool = pa.default_memory_pool()
        before = pool.bytes_allocated()
        source.write(writer, given)
        try:
            return tracemalloc.get_traced_memory()[1] + pool.bytes_allocated() - before
        finally:
            tracemalloc.stop()
            writer.finish()
            assert writer.count == rows

    peak(1000)  # what is made once
    assert peak(20_000) < 1.5 * peak(2000) + 100_000
