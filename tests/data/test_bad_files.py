"""Every fault in somebody's files is one line that names the file and the row, and nothing is left behind."""

import gzip

import pytest

from programs import beir, fails_with, shell, tables, zstd

CORPUS = {
    "corpus.csv": [
        ("id,text\np1,one\np1,two\n", ":3: passage id 'p1' was used before"),
        ("id,text\np1,one\np2,two\np1,three\n", ":4: passage id 'p1' was used before"),
        ("id,text\n,one\n", ":2: a passage without an id"),
        ("id,body\np1,one\n", ":2: no column 'text'; there is id, body"),
        ("id,text\np1,one,more\n", ":2: 3 fields, the header has 2"),
        ('id,text\np1,"one\ntwo"\np2\n', ":4: 1 fields, the header has 2"),
        ('id,text\np1,one\np2,"two\np3,three\n', ":3: not CSV (unexpected end of data); a quote in it is never closed"),
        ("id,text\np1,one\np2,caf\u00e9\n".encode("latin-1"), ":3: not UTF-8 at byte 7 of the line; re-encode it"),
        ("", ": empty; its first row must name the columns"),
        (None, ": No such file or directory"),
    ],
    "corpus.tsv": [
        ("id\ttext\np1\tone\ttwo\n", ":2: 3 fields, the header has 2"),
        (b"\xff\xfei\x00d\x00", ":1: not UTF-8 at byte 1 of the line; re-encode it"),
    ],
    "corpus.jsonl": [
        ('{"id": "p1", "text": "one"}\n\n{"id": "p2", "text": \n', ":3: not JSON (Expecting value"),
        ("[" * 100_000 + "\n", ":1: not JSON ("),
        ('{"id": "p1", "text": "one"}\n["p2"]\n', ":2: expected a JSON object, found list"),
        ('{"id": "p1"}\n', ":1: no column 'text'; there is id"),
        ('{"id": null, "text": "one"}\n', ":1: a passage without an id"),
        ('{"id": "p1", "text": ["one"]}\n', ":1: column 'text' holds a list, expected text"),
        ('{"id": "p1", "text": "one \\ud83d"}\n', ":1: column 'text' holds half a character at 5; mend it"),
    ],
    "corpus.csv.gz": [
        (gzip.compress(b"id,text\n" + b"p%d,some text\n" * 9, mtime=0)[:-12], ": broken .gz after line "),
        (b"id,text\np1,one\n", ": broken .gz after line 0 ("),
    ],
    "corpus.csv.zst": [
        (zstd(b"id,text\np1,one\n")[:-4], ": broken .zst after line 0 (Truncated "),
        (b"id,text\np1,one\n", ": broken .zst after line 0 (ZSTD decompress failed: "),
        (None, ": No such file or directory"),
    ],
    "corpus.parquet": [(b"PAR1 but no more", ": not a readable Parquet file (")],
    "corpus.xlsx": [(b"PK", ": unknown table format '.xlsx'; use .csv, .tsv, .jsonl or .parquet")],
}
QUERIES = {
    "queries.csv": [
        ("id,text\nq1,first?\nq1,again?\n", ":3: test query id 'q1' was used before"),
        ("id,text\nq1,first?\nq2,  \n", ":3: query 'q2' has no text"),
    ]
}
JUDGEMENTS = {
    "judgements.csv": [
        ("query,passage\nq1,p1\nq3,p2\n", ":3: judgement names unknown query 'q3'"),
        ("query,passage\nq1,p1\nq2,p3\n", ":3: judgement names unknown passage 'p3'"),
        ('query,passage\n"q\n1",p1\n', ":2: judgement names unknown query 'q 1'"),
        ("query,passage,grade\nq1,p1,good\n", ":2: grade 'good' is not a finite number"),
        ("query,passage,grade\nq1,p1,-inf\n", ":2: grade '-inf' is not a finite number"),
        ("query,passage,grade\nq1,p1,nan\n", ":2: grade 'nan' is not a finite number"),
        ("query,passage,grade\nq1,p1,4e38\n", ":2: grade '4e38' is not a finite number"),
        ("query,passage,grade\nq1,p1,\n", ":2: grade '' is not a finite number"),
        ("query,passage,grade\nq1,p1,1\nq1,p1,0\n", ":3: query 'q1', passage 'p1': grade 0, but 1 before"),
        ("query,passage,grade\nq1,p1,1.0\nq1,p1,1.5\n", ":3: query 'q1', passage 'p1': grade 1.5, but 1 before"),
    ]
}
BEIR = {
    "corpus.jsonl": [
        ('{"id": "p1", "text": "one"}\n', ":1: no column '_id'; there is id, text"),
        (None, ": no such file (nor corpus.jsonl.gz, corpus.jsonl.zst)"),
    ],
    "queries.jsonl": [('{"_id": "q1", "text": "a"}\n' * 2, ":2: query id 'q1' was used before")],
    "qrels/test.tsv": [
        ("query-id\tcorpus-id\tscore\nq1\tp1\n", ":2: 2 fields, expected query-id, corpus-id, score separated by tabs"),
        ("q1 0 p1 1\n", ":1: 1 fields, expected query-id, corpus-id, score separated by tabs"),
        ("query-id\tcorpus-id\tscore\nq9\tp1\t1\n", ":2: judgement names unknown query 'q9'"),
        ("query-id\tcorpus-id\tscore\nq1\tp9\t1\n", ":2: judgement names unknown passage 'p9'"),
        ("query-id\tcorpus-id\tscore\nq1\tp1\tx\n", ":2: grade 'x' is not a finite number"),
    ],
}


def cases(*groups):
    return [(name, *case) for group in groups for name, rows in group.items() for case in rows]


@pytest.mark.parametrize(("name", "content", "message"), cases(CORPUS, QUERIES, JUDGEMENTS))
def test_table(tmp_path, name, content, message):
    fails_with(tmp_path, tables(tmp_path, {name: content}), f"{name}{message}")


@pytest.mark.parametrize(("name", "content", "message"), cases(BEIR))
def test_beir(tmp_path, name, content, message):
    fails_with(tmp_path, beir(tmp_path, {name: content}), f"{name}{message}")


@pytest.mark.parametrize("name", ["corpus.csv", "corpus.jsonl", "corpus.parquet"])
def test_empty_corpus(tmp_path, name):
    import pyarrow as pa
    import pyarrow.parquet as pq

    settings = tables(tmp_path, {name: "id,text\n" if name.endswith("csv") else ""})
    if name.endswith("parquet"):
        pq.write_table(pa.table({"id": pa.array([], pa.string())}), tmp_path / name)
    fails_with(tmp_path, settings, f"{name}: the corpus is empty, no passage was found")


@pytest.mark.parametrize(
    ("part", "columns", "message"),
    [
        ("corpus", {"title": "heading"}, "no row has a column 'heading'; there is id, text"),
        ("queries", {"answers": "reply"}, "no row has a column 'reply'; there is id, text"),
        ("judgements", {"grade": "rel"}, "no row has a column 'rel'; there is query, passage, grade"),
    ],
)
def test_a_named_column_must_exist(tmp_path, part, columns, message):
    fails_with(tmp_path, tables(tmp_path, **{part: columns}), f"{part}.csv: {message}")


def test_judgements_of_a_split_without_queries(tmp_path):
    settings = tables(tmp_path)
    settings["judgements"]["dev"] = settings["judgements"]["test"]
    fails_with(tmp_path, settings, "judgements.csv: judgements of split 'dev', which has no queries")


@pytest.mark.parametrize(
    ("make", "others", "message"),
    [
        (tables, {"corpus.csv": "id,text\np1,one\np1,two\n"}, "{}/corpus.csv:3: passage id 'p1' was used before"),
        (tables, {"queries.csv": b"id,text\nq1,caf\xe9\n"}, "{}/queries.csv:2: not UTF-8 at byte 7 of the line"),
        (beir, {"qrels/test.tsv": "q1\tp7\t1\n"}, "{}/qrels/test.tsv:1: judgement names unknown passage 'p7'"),
        (
            lambda folder, _: {"source": "pydocs", "packages": ["no_such_thing"]},
            None,
            "pydocs: package 'no_such_thing'",
        ),
    ],
)
def test_on_the_command_line(tmp_path, make, others, message):
    """Exit code 2, one line, and an output folder without a manifest or half a file."""
    done = shell("prepare", tmp_path / "out/manifest.json", make(tmp_path, others), code="x", study="s", files=[])
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message.format(tmp_path)}")
    assert (done.stderr.count("\n"), done.stdout) == (1, "")
    assert list((tmp_path / "out").iterdir()) == []
