"""Whatever is done to somebody's files, a dataset is made of them or they are refused in one line (`make fuzz`)."""

import gzip
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.data.tiny import Words
from dewpoint.study.kind import kinds, work_of
from fuzzing import ending, fuzzed, is_one_line
from programs import BEIR, TABLES, beir, call, downloads, prepare, tables, write_files, zstd

SNIPPETS = [
    *(
        b"",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b"\t",
        b" ",
        b'"',
        b"'",
        b",",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
    ),
    *(
        b"NaN",
        b"null",
        b"true",
        b"1e400",
        b"-1",
        b"0",
        b"1_0",
        b"9" * 5000,
        b"[" * 2000,
        b'{"a":' * 1500,
        b"\\ud800",
        b"\\u0000",
    ),
    *("é\u200b\u2028\x85\x1c".encode(), "١".encode(), b"\x1f\x8b\x08", b"(\xb5/\xfd", b"PAR1", b"id,id", b"p1", b"q1"),
]
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 20), st.sampled_from(SNIPPETS) | st.binary(max_size=4))


def changed(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Bytes with others in the place of some, at shares of its length."""
    for share, count, put in edits:
        begin = int(share * len(data))
        data = data[:begin] + put + data[begin + count :]
    return data


def parquet(**columns) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


JSON = {
    "corpus.jsonl": '{"id": "p1", "text": "one"}\n{"id": "p2", "text": "two", "title": "T", "document": "d"}\n',
    "queries.jsonl": '{"id": "q1", "text": "first?", "answers": ["x", "y"]}\n{"id": "q2", "text": "second?"}\n',
    "judgements.jsonl": '{"query": "q1", "passage": "p1", "grade": 1}\n{"query": "q2", "passage": "p2", "grade": 2}\n',
}
TSV = {name.replace("csv", "tsv"): text.replace(",", "\t") for name, text in TABLES.items()}
ARROW = {
    "corpus.parquet": parquet(id=["p1", "p2"], text=["one", "two"], title=[None, "T"]),
    "queries.parquet": parquet(id=["q1", "q2"], text=["first?", "second?"], answers=[["x"], []]),
    "judgements.parquet": parquet(query=["q1", "q2"], passage=["p1", "p2"], grade=[1.0, 2.0]),
}
TEVATRON = {
    "corpus.jsonl": '{"docid": "p1", "text": "one"}\n{"docid": 2, "text": "two", "title": null}\n',
    "train.jsonl": '{"query_id": "q1", "query": "first?", "answers": ["x"], "positive_passages": [{"docid": "p1"}],'
    ' "negative_passages": [{"docid": 2}]}\n{"query_id": 7, "query_text": "second?", "positive_document_ids": [2]}\n',
}
TEXT = {
    "a.txt": "First paragraph.\nSecond one.\n\nAnother document.\n",
    "b.jsonl": '{"text": "one\\ntwo", "title": "T"}\n{"text": ["a", "b"], "title": null}\n',
}
PAIRS = {
    "a.jsonl": '{"query": "first?", "passage": "one", "title": "T"}\n{"query": 2, "passage": "two", "title": null}\n',
    "b.csv": "query,passage\nthird?,three\n",
}
POSTS = {
    "RS": '{"id": "a1", "title": "first", "selftext": "", "author": "y"}\n{"id": "a2", "title": "second"}\n',
    "RC": '{"id": "c1", "parent_id": "t3_a1", "body": "one", "score": 3, "gildings": {"a": [null, 1]}}\n'
    '{"id": "c2", "parent_id": "t3_a2", "body": "two", "score": null}\n{"id": "c3", "parent_id": "t1_c2"}\n',
}
PACKED = {"": lambda data: data, ".gz": lambda data: gzip.compress(data, 1, mtime=0), ".zst": zstd}


def of_table(folder: Path, files: dict[str, bytes]) -> dict:
    return tables(folder, files)


def of_beir(folder: Path, files: dict[str, bytes]) -> dict:
    return beir(folder, files)


def of_tevatron(folder: Path, files: dict[str, bytes]) -> dict:
    write_files(folder, files)
    corpus, train = (f"{folder}/{name}" for name in files)
    return {"source": "tevatron", "corpus": [corpus], "queries": {"train": train}}


def of_text(folder: Path, files: dict[str, bytes]) -> dict:
    write_files(folder, files)
    return {"source": "text", "paths": [f"{folder}/{name}" for name in files], "text": "text", "title": "title"}


def of_pairs(folder: Path, files: dict[str, bytes]) -> dict:
    write_files(folder, files)
    return {"source": "pairs", "pairs": {"train": {"files": [f"{folder}/{name}" for name in files], "columns": {}}}}


def of_posts(folder: Path, files: dict[str, bytes]) -> dict:
    write_files(folder, files)
    submissions, comments = ([f"{folder}/{name}"] for name in files)
    given = {"subreddits": [], "without": ["x"], "least_words": 1, "most_words": 9, "comments_per_post": 1}
    return {"source": "posts", "submissions": submissions, "comments": comments, "held_out": 0.0} | given


OWN = {
    "csv": (of_table, TABLES),
    "tsv": (of_table, TSV),
    "jsonl": (of_table, JSON),
    "parquet": (of_table, ARROW),
    "beir": (of_beir, BEIR),
    "tevatron": (of_tevatron, TEVATRON),
    "text": (of_text, TEXT),
    "pairs": (of_pairs, PAIRS),
    "posts": (of_posts, POSTS),
}


def prepared(folder: Path, settings: dict, files: list[Path] = []) -> None:  # noqa: B006
    """A dataset, or one line."""
    with ending():
        try:
            prepare(folder, settings, files=files)
        except SystemExit as exit:
            assert str(exit).startswith("error: ")
            assert is_one_line(str(exit).removeprefix("error: "))
            assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize("name", OWN)
def test_any_file_of_ones_own(tmp_path, name):
    make, files = OWN[name]
    files = {file: content if isinstance(content, bytes) else content.encode() for file, content in files.items()}
    packed = PACKED if name != "parquet" else [""]

    @fuzzed(60)
    @given(
        st.sampled_from(sorted(files)),
        st.lists(EDIT, min_size=1, max_size=3),
        st.sampled_from([*packed]),
        st.booleans(),
    )
    def one(file, edits, suffix, inside):
        folder = tmp_path / "x"
        shutil.rmtree(folder, ignore_errors=True)
        pack = PACKED[suffix]
        content = pack(changed(files[file], edits)) if inside else changed(pack(files[file]), edits)
        settings = make(
            folder, {(of + suffix if of == file else of): text for of, text in (files | {file: content}).items()}
        )
        prepared(folder, settings)

    one()


FETCHED = ["dpr", "kilt", "msmarco-passage", "msmarco-document"]


@pytest.mark.parametrize("name", FETCHED)
def test_any_file_that_is_fetched(tmp_path, name):
    """Broken inside of what it is packed in, too."""
    source = kinds("sources")[name].model_validate({"source": name})
    whole = tmp_path / "whole"
    whole.mkdir()
    work_of("sources", name, "rehearse")(whole, Words(1), **source.tiny([]))
    files = {path.name: path.read_bytes() for path in whole.iterdir()}
    settings = source.model_dump(exclude_none=True)

    @fuzzed(10)
    @given(st.sampled_from(sorted(files)), st.lists(EDIT, min_size=1, max_size=3), st.booleans())
    def one(file, edits, inside):
        folder = tmp_path / "x"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(tmp_path / "x-fetched", ignore_errors=True)
        packed = inside and file.endswith(".gz")
        content = gzip.compress(changed(gzip.decompress(files[file]), edits)) if packed else changed(files[file], edits)
        write_files(folder, files | {file: content})
        prepared(folder, settings, [downloads(folder)])

    one()


RUNS = {
    "run.trec": b"q1 Q0 p1 1 9.5 tag\nq1 Q0 p2 2 8 tag\nq2 Q0 p1 1 7e-1 tag\n",
    "run.tsv": b"q1\tp1\t1\nq1\tp2\t2\nq2\tp1\t1\n",
    "scores.tsv": b"3.5\t-1\tq1\tp1\tp2\n3.5\t-1.0004\tq1\tp1\tp2\n2\t1\tq2\tp1\tp2\n",
}


@pytest.mark.parametrize("name", RUNS)
def test_any_run_of_others(tmp_path, name):
    dataset, kind = prepare(tmp_path, tables(tmp_path)), "pair_scores" if name == "scores.tsv" else "file"
    asked = {"split": "test", "depth": 10, "apart": 0.001}

    @fuzzed(80)
    @given(st.lists(EDIT, min_size=1, max_size=3), st.sampled_from([*PACKED]))
    def one(edits, suffix):
        file, output = tmp_path / f"{name}{suffix}", tmp_path / "runs" / "d.test.json"
        file.write_bytes(PACKED[suffix](changed(RUNS[name], edits)))
        with ending():
            try:
                call(f"rankers.{kind} rank", output, asked, dataset=dataset, file=file)
            except SystemExit as exit:
                assert is_one_line(str(exit).removeprefix("error: "))

    one()
