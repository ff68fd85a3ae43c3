"""A catalogue of what files cannot mean, though their formats allow it: each is one line that says where and why."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dewpoint.artifact import read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.errors import LONGEST
from programs import beir, call, fails_with, prepare, tables, write_files

TABLE = {
    "corpus.csv": [
        ("id,text,text\np1,one,two\n", ": its first row names the column 'text' twice"),
        ("id,text\n  ,one\np2,two\n", ":2: a passage without an id"),
        ("id,text\np\x001,one\np2,two\n", r":2: passage id 'p\x001' has control character U+0000 in it"),
    ],
    "corpus.jsonl": [
        ('{"id": true, "text": "one"}\n', ":1: column 'id' holds a bool, expected text"),
        ('{"id": NaN, "text": "one"}\n', ":1: column 'id' holds a float, expected text"),
        ('{"id": "p1", "text": 1.5}\n', ":1: column 'text' holds a float, expected text"),
        ('{"id": "p1", "text": false}\n', ":1: column 'text' holds a bool, expected text"),
        ('{"id": "p1", "text": "one", "id": "p2"}\n', ":1: not JSON (key 'id' twice)"),
        ('{"id": "p1", "text": "one", "more": {"a": 1, "a": 2}}\n', ":1: not JSON (key 'a' twice)"),
        ('{"id": "p1", "text": ' + "9" * 5000 + "}\n", ":1: not JSON (Exceeds the limit"),
    ],
    "queries.csv": [
        ("id,text\n", ": no query in it"),
        ("id,text\nq1,\u200b\u200d\nq2,second?\n", ":2: query 'q1' has no text"),
    ],
    "queries.jsonl": [
        ("", ": no query in it"),
        ('{"id": "q1", "text": "a?", "answers": {"x": 1}}\n', ":1: column 'answers' holds a dict, expected text"),
        ('{"id": "q1", "text": "a?", "answers": [["x"]]}\n', ":1: column 'answers' holds a list, expected text"),
        ('{"id": "q1", "text": "a?", "answers": ["x", null]}\n', ":1: column 'answers' has nothing in place of a text"),
    ],
    "judgements.csv": [
        ("query,passage,grade\n", ": no judgement in it"),
        ("query,passage,grade\nq1,p1,\u0661\n", ":2: grade '\u0661' is not a finite number"),
        ("query,passage,grade\nq1,p1,1_000\n", ":2: grade '1_000' is not a finite number"),
        ("query,passage,grade\nq1,p1,infinity\n", ":2: grade 'infinity' is not a finite number"),
        *(
            (
                f"query,passage,{name}\nq1,p1,0\n",
                f":2: '{name}' looks like a grade; say so by columns: {{grade: {name}}}",
            )
            for name in ("score", "Score", "label", "graed", "relevance")
        ),
        (
            "query,passage,grade\nq1,p1,0\nq2,p2,0\n",
            "out: test has no grade above 0, and 1 is relevant; say `relevant:`",
        ),
    ],
    "judgements.jsonl": [
        ('{"query": "q1", "passage": "p1", "grade": true}\n', ":1: grade True is not a finite number"),
        ('{"query": "q1", "passage": "p1", "grade": null}\n', ":1: grade None is not a finite number"),
    ],
}


@pytest.mark.parametrize(("name", "content", "message"), [(name, *case) for name, of in TABLE.items() for case in of])
def test_table(tmp_path, name, content, message):
    fails_with(
        tmp_path, tables(tmp_path, {name: content}), message if message.startswith("out") else f"{name}{message}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pa.array([b"one", b"\xff"]), ": row 1: column 'text' holds a bytes, expected text"),
        (pa.array([datetime.date(2020, 1, 1)] * 2), ": row 1: column 'text' holds a date, expected text"),
        (pa.array([1.5, 2.5]), ": row 1: column 'text' holds a float, expected text"),
        (
            pa.array([b"one", b"\xff"]).view(pa.binary()).cast(pa.string(), safe=False),
            ": not a readable Parquet file (",
        ),
    ],
)
def test_parquet(tmp_path, text, message):
    settings = tables(tmp_path, {"corpus.parquet": b""})
    pq.write_table(pa.table({"id": ["p1", "p2"], "text": text}), tmp_path / "corpus.parquet")
    fails_with(tmp_path, settings, f"corpus.parquet{message}")


def test_relevant_above_every_grade(tmp_path):
    settings = tables(tmp_path)
    settings["judgements"]["test"]["relevant"] = 3
    fails_with(
        tmp_path, settings, "out: test has no grade above 2, and 3 is relevant; say `relevant:` as these grades mean"
    )
    fails_with(tmp_path, tables(tmp_path) | {"relevant": 2.5}, "out: test has no grade above 2, and 2.5 is relevant")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"qrels/test.tsv": "query-id\tcorpus-id\tscore\n"}, "qrels/test.tsv: no judgement in it"),
        ({"qrels/test.tsv": ""}, "qrels/test.tsv: no judgement in it"),
        (
            {"qrels/my test.tsv": "q1\tp1\t1\n"},
            "qrels/my test.tsv: split 'my test', expected a name of letters, digits, -",
        ),
        (
            {"qrels/a.b.tsv.gz": b""},
            "qrels/a.b.tsv.gz: split 'a.b', expected a name of letters, digits, - and _; rename it",
        ),
    ],
)
def test_qrels(tmp_path, files, message):
    fails_with(tmp_path, beir(tmp_path, files), message)


def test_what_macos_leaves_in_a_folder_is_passed_over(tmp_path):
    settings = beir(tmp_path)
    write_files(tmp_path, {"qrels/._test.tsv": b"\0\5\x16\7", "qrels/.DS_Store": b"x"})
    assert Dataset(prepare(tmp_path, settings)).splits == ["test"]


def test_tevatron_without_queries(tmp_path):
    write_files(tmp_path, {"c.jsonl": '{"docid": "a", "text": "one"}\n', "train.jsonl": "\n"})
    settings = {
        "source": "tevatron",
        "corpus": [f"{tmp_path}/c.jsonl"],
        "queries": {"train": f"{tmp_path}/train.jsonl"},
    }
    fails_with(tmp_path, settings, "train.jsonl: no query in it")


@pytest.mark.parametrize("rank", ["0", "-1", "1.5"])
def test_ranks_begin_with_one(tmp_path, rank):
    dataset, run = prepare(tmp_path, tables(tmp_path)), tmp_path / "run.tsv"
    run.write_text(f"q1\tp1\t1\nq1\tp2\t{rank}\n")
    with pytest.raises(SystemExit) as exit:
        call("rankers.file rank", tmp_path / "r/d.test.json", {"split": "test", "depth": 9}, dataset=dataset, file=run)
    assert str(exit.value) == f"error: {run}:2: rank '{rank}', expected 1, 2, 3, …"


def test_a_line_is_of_a_length_that_can_be_read(tmp_path):
    """Whatever the file that it quotes."""
    columns = ",".join(f"column{number}" for number in range(100_000))
    settings = tables(tmp_path, {"corpus.csv": f"{columns}\n{',' * 99_999}\n"})
    with pytest.raises(SystemExit) as exit:
        prepare(tmp_path, settings)
    assert str(exit.value).startswith(f"error: {tmp_path}/corpus.csv:2: no column 'id'; there is column0, column1, ")
    assert LONGEST - 10 < len(str(exit.value)) < LONGEST + 20


def test_what_is_no_mistake(tmp_path):
    """Whole numbers as texts and ids, a grade where others have none, columns that are not asked for."""
    files = {
        "corpus.jsonl": '{"id": 1, "text": 1984, "title": "a\\u0000b"}\n{"id": 2, "text": "two"}\n',
        "queries.jsonl": '{"id": "q1", "text": "first?", "answers": [1912]}\n{"id": 2, "text": "two?", "answers": 7}\n',
        "judgements.csv": "query,passage,split\nq1,1,a\n2,2,b\n",
    }
    manifest = prepare(tmp_path, tables(tmp_path, files))
    dataset = Dataset(manifest)
    assert dataset.column("corpus", "text").to_pylist() == ["1984", "two"]
    assert dataset.column("queries.test", "answers").to_pylist() == [["1912"], ["7"]]
    assert read_manifest(manifest)["facts"]["judgements"] == {"test": 2}
