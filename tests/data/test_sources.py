"""What sources make of good files: the same dataset whatever the format, strings as they were written."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import dataset
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.reading import records
from dewpoint.errors import UserError
from programs import beir, call, prepare, tables, write_files, zstd


def rows(manifest, table="corpus"):
    return pq.read_table(manifest.parent / f"{table}.parquet").to_pylist()


def test_rows_keep_their_order_and_judgements_name_rows(tmp_path):
    manifest = prepare(tmp_path, tables(tmp_path, {"judgements.csv": "query,passage,grade\nq2,p1,0\nq2,p2,3\n"}))
    assert rows(manifest) == [
        {"id": "p1", "title": "", "text": "one", "document": "p1"},
        {"id": "p2", "title": "", "text": "two", "document": "p2"},
    ]
    assert [row["id"] for row in rows(manifest, "queries.test")] == ["q1", "q2"]
    query, passage, grade = Dataset(manifest).judgements("test")
    assert (query.tolist(), passage.tolist(), grade.tolist()) == ([1, 1], [0, 1], [0, 3])
    assert [part.tolist() for part in Dataset(manifest).positives("test")] == [[1], [1]]


def test_beir_splits_hold_the_queries_that_their_qrels_name(tmp_path):
    qrels = {"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq2\tp1\t1\n", "qrels/dev.tsv": "q1\tp2\t1.0\n\n"}
    manifest = prepare(tmp_path, beir(tmp_path, qrels))
    assert [row["text"] for row in rows(manifest, "queries.test")] == ["second?"]
    assert [row["text"] for row in rows(manifest, "queries.dev")] == ["first?"]
    assert rows(manifest, "judgements.dev") == [{"query": 0, "passage": 1, "grade": 1}]
    assert read_manifest(manifest)["facts"] == {
        "passages": 2,
        "empty_passages": 0,
        "queries": {"dev": 1, "test": 1},
        "judgements": {"dev": 1, "test": 1},
        "study": "study.yaml",
    }


def test_a_compressed_twin_is_no_second_split(tmp_path):
    settings = beir(tmp_path)
    plain = (tmp_path / "qrels/test.tsv").read_bytes()
    alone = read_manifest(prepare(tmp_path, settings, "alone"))
    write_files(tmp_path, {"qrels/test.tsv.gz": gzip.compress(plain), "qrels/test.tsv.zst": zstd(plain)})
    assert read_manifest(prepare(tmp_path, settings, "all"))["content"] == alone["content"]
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        write_files(tmp_path, {f"{name}.zst": zstd((tmp_path / name).read_bytes())})
        (tmp_path / name).unlink()
    (tmp_path / "qrels/test.tsv.gz").unlink()
    assert read_manifest(prepare(tmp_path, settings, "compressed"))["content"] == alone["content"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["", *"abcdef"]), min_size=1, max_size=30), st.integers(1, 10))
def test_documents_are_numbered_as_they_appear(tmp_path_factory, documents, batch):
    folder = tmp_path_factory.mktemp("documents")
    rows = [f"p{row},text,{document}\n" for row, document in enumerate(documents)]
    files = {"corpus.csv": "".join(["id,text,document\n", *rows]), "judgements.csv": "query,passage\nq1,p0\n"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "BATCH", batch)
        manifest = prepare(folder, tables(folder, files))
    names = [document or f"p{row}" for row, document in enumerate(documents)]
    first = list(dict.fromkeys(names))
    assert Dataset(manifest).documents().tolist() == [first.index(name) for name in names]


def test_repeated_judgements_are_kept_once(tmp_path):
    judgements = "query,passage,grade\nq1,p1,2\nq2,p2,1\nq1,p1,2\n"
    manifest = prepare(tmp_path, tables(tmp_path, {"judgements.csv": judgements}))
    assert [tuple(row.values()) for row in rows(manifest, "judgements.test")] == [(0, 0, 2), (1, 1, 1)]


def test_grades_that_are_relevant(tmp_path):
    judgements = {"judgements.csv": "query,passage,grade\nq1,p1,1\nq1,p2,2\nq2,p1,3\nq2,p2,-1\n"}
    settings = tables(tmp_path, judgements)
    for relevant, positives in ((1, [[0, 0, 1], [0, 1, 0]]), (2, [[0, 1], [1, 0]])):
        settings["judgements"]["test"]["relevant"] = relevant
        dataset = Dataset(prepare(tmp_path, settings, str(relevant)))
        assert dataset.relevant("test") == relevant
        assert [part.tolist() for part in dataset.positives("test")] == positives
        assert dataset.judgements("test")[2].tolist() == [1, 2, 3, -1]


@pytest.mark.parametrize("name", ["judgements.csv", "judgements.jsonl"])
def test_grades_are_numbers_however_they_are_written(tmp_path, name):
    """0.1 has no exact number in float32; what is relevant from 0.1 on is so all the same."""
    grades = ["1", "1.0", "3.75", "-2e-1", "0.1"]
    pairs = [("q1", "p1"), ("q1", "p2"), ("q2", "p1"), ("q2", "p2"), ("q3", "p1")]
    rows = zip(pairs, grades, strict=True)
    if name.endswith("csv"):
        judged = "query,passage,grade\n" + "".join(f"{q},{p},{grade}\n" for (q, p), grade in rows)
    else:
        judged = "".join(f'{{"query": "{q}", "passage": "{p}", "grade": {grade}}}\n' for (q, p), grade in rows)
    settings = tables(tmp_path, {name: judged, "queries.csv": "id,text\nq1,a?\nq2,b?\nq3,c?\n"})
    for relevant, positives in ((1, 3), (0.1, 4), (3.5, 1), (3.75, 1)):
        settings["judgements"]["test"]["relevant"] = relevant
        manifest = prepare(tmp_path, settings, str(relevant))
        dataset, facts = Dataset(manifest), read_manifest(manifest)["facts"]
        assert dataset.judgements("test")[2].tolist() == np.array([1, 1, 3.75, -0.2, 0.1], np.float32).tolist()
        assert len(dataset.positives("test")[0]) == positives
        assert dataset.relevant("test") == relevant == facts.get("relevant", {"test": 1})["test"]


def lists_of(folder, lists):
    """A dataset of three passages and two queries, and what is written to its list `hard`."""
    writer = DatasetWriter(Artifact(folder / "lists/manifest.json"))
    for id in ("a", "b", "c"):
        writer.passage("here", id, "text")
    for id in ("x", "y"):
        writer.query("here", "train", id, "text?")
    for query, passages in lists:
        writer.listed("here", "hard", "train", query, passages)
    writer.finish()
    writer.artifact.seal()
    return writer.artifact.manifest


def test_lists_keep_their_order_and_a_passage_once(tmp_path):
    manifest = lists_of(tmp_path, [("x", ["c", "a", "c", "a"]), ("y", ["b", "c"])])
    assert [part.tolist() for part in Dataset(manifest).listed("hard", "train")] == [[0, 0, 1, 1], [2, 0, 1, 2]]
    assert read_manifest(manifest)["facts"]["lists"] == {"hard": {"train": 4}}


def test_a_list_of_nothing_is_one(tmp_path):
    manifest = lists_of(tmp_path, [("y", [])])
    assert [part.tolist() for part in Dataset(manifest).listed("hard", "train")] == [[], []]
    run = call(
        "rankers.given rank", tmp_path / "run.json", {"list": "hard", "split": "train", "depth": 9}, dataset=manifest
    )
    assert read_manifest(run)["facts"] == {"rows": 0, "queries": 0}


@pytest.mark.parametrize(
    ("query", "passage", "message"), [("z", "a", "unknown query 'z'"), ("x", "d", "unknown passage 'd'")]
)
def test_lists_name_what_is_known(tmp_path, query, passage, message):
    with pytest.raises(UserError, match=f"^here: list 'hard' names {message}$"):
        lists_of(tmp_path, [(query, [passage])])


def test_empty_passages_are_kept_and_counted_once(tmp_path, caplog):
    manifest = prepare(tmp_path, tables(tmp_path, {"corpus.csv": "id,text\np1,\np2,  \np3,three\n"}))
    assert [row["text"] for row in rows(manifest)] == ["", "  ", "three"]
    assert [record.getMessage() for record in caplog.records] == ["warning: 2 of 3 passages have no text; kept"]
    assert read_manifest(manifest)["facts"]["empty_passages"] == 2


def test_columns_by_other_names(tmp_path):
    corpus = {"corpus.tsv": "pid\tbody\theading\tpage\n7\tone\tOne\tA\n8\ttwo\t\t\n"}
    names = {"id": "pid", "text": "body", "title": "heading", "document": "page"}
    judgements = {"judgements.csv": "q,p,rel\nq1,7,2\n"}
    settings = tables(
        tmp_path, corpus | judgements, corpus=names, judgements={"query": "q", "passage": "p", "grade": "rel"}
    )
    manifest = prepare(tmp_path, settings)
    assert [tuple(row.values()) for row in rows(manifest)] == [("7", "One", "one", "A"), ("8", "", "two", "8")]
    assert rows(manifest, "judgements.test") == [{"query": 0, "passage": 0, "grade": 2}]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (
            "queries.jsonl",
            '{"id":1,"text":"a","answers":["x","y"]}\n{"id":2,"text":"b","answers":42}\n{"id":3,"text":"c"}',
        ),
        ("queries.parquet", None),
    ],
)
def test_answers(tmp_path, file, content):
    settings = tables(tmp_path, {file: content, "judgements.csv": "query,passage\n1,p1\n"})
    if content is None:
        table = pa.table({"id": [1, 2, 3], "text": ["a", "b", "c"], "answers": [["x", "y"], ["42"], None]})
        pq.write_table(table, tmp_path / file)
    assert [row["answers"] for row in rows(prepare(tmp_path, settings), "queries.test")] == [["x", "y"], ["42"], []]


def test_a_text_column_of_answers_is_one_answer(tmp_path):
    settings = tables(tmp_path, {"queries.csv": 'id,text,answers\nq1,a,"x, y"\nq2,b,\n'})
    assert [row["answers"] for row in rows(prepare(tmp_path, settings), "queries.test")] == [["x, y"], []]


# --- formats ------------------------------------------------------------------------------------


def read(path):
    return [row for _, row in records(path)]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", 'id,text\n1,"a, ""b""\nc"\n2,d\n', [("1", 'a, "b"\nc'), ("2", "d")]),
        ("a.csv", 'id,text\r\n1,"a\r\nb"\r\n\r\n2,d', [("1", "a\nb"), ("2", "d")]),
        ("a.csv", "\ufeffid,text\n1,a\n", [("1", "a")]),
        ("a.csv", '\ufeff"id","text"\n1,a\n', [("1", "a")]),
        ("a.tsv", 'id\ttext\n1\t"a\n2\tb, "c" d"\n', [("1", '"a'), ("2", 'b, "c" d"')]),
        ("a.tsv", "id\ttext\r\n1\ta\rb\r\n\r\n2\t c \r\n", [("1", "a\rb"), ("2", " c ")]),
        (
            "a.jsonl",
            '\ufeff{"id": "1", "text": "a\\nb"}\r\n\r\n{"id": "2", "text": "\u2028"}',
            [("1", "a\nb"), ("2", "\u2028")],
        ),
    ],
)
def test_text_formats(tmp_path, name, content, expected):
    plain = content.encode()
    for suffix, data in {"": plain, ".gz": gzip.compress(plain), ".zst": zstd(plain)}.items():
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(data)
        assert read(path) == [dict(zip(("id", "text"), row, strict=True)) for row in expected]


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\t\ufeff"), max_size=8)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(CELL.filter(bool), CELL), min_size=1, max_size=5))
def test_every_format_gives_the_same_rows(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("formats")
    expected = [{"id": id, "text": text} for id, text in cells]
    quoted = [[f'"{cell.replace(chr(34), 2 * chr(34))}"' for cell in row] for row in (("id", "text"), *cells)]
    lines = {
        "a.csv": [",".join(row) for row in quoted],
        "a.tsv": ["id\ttext", *("\t".join(row) for row in cells)],
        "a.jsonl": [json.dumps(row, ensure_ascii=False) for row in expected],
    }
    write_files(folder, {name: "\n".join(parts) + "\n" for name, parts in lines.items()})
    pq.write_table(pa.Table.from_pylist(expected), folder / "a.parquet")
    for path in sorted(folder.iterdir()):
        assert read(path) == expected, path.name


def test_the_place_of_a_row_is_where_it_begins(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"a\nb\nc"\n\n2,d\n')
    assert [place for place, _ in records(path)] == [f"{path}:2", f"{path}:6"]
