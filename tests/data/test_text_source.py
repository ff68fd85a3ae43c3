"""Text to pre-train on: the same passages whatever the format, streamed, and every fault one line."""

import gzip
import json
import logging
import tracemalloc

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import dataset
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.reading import text_files
from dewpoint.sources import text as source
from programs import fails_with, prepare, write_files, zstd

TXT = "One, first.\nOne, second.\n\nTwo.\n"
JSONL = '{"text": "One, first.\\nOne, second."}\n{"text": ["Two."]}\n'
EXPECTED = [("0-0", "One, first."), ("0-0", "One, second."), ("0-1", "Two.")]


def text(folder, files, *patterns, **fields):
    """Settings of a `text` dataset in `folder`, its files written; all of them, or what the patterns name."""
    write_files(folder, files)
    return {"source": "text", "paths": [f"{folder}/{name}" for name in patterns or files], "text": "text", **fields}


def rows(manifest):
    return pq.read_table(manifest.parent / "corpus.parquet").to_pylist()


def passages(folder, files, *patterns, **fields):
    """(document, text) of the passages made of some files."""
    return [(row["document"], row["text"]) for row in rows(prepare(folder, text(folder, files, *patterns, **fields)))]


def test_every_paragraph_is_a_passage_of_its_document(tmp_path):
    jsonl = '{"title": "A", "text": "one\\ntwo"}\n{"title": null, "text": ["", "three"]}\n'
    manifest = prepare(tmp_path, text(tmp_path, {"b.txt": "x\n\ny\n", "a.jsonl": jsonl}, title="title"))
    assert [tuple(row.values()) for row in rows(manifest)] == [
        ("0-0-0", "", "x", "0-0"),
        ("0-1-0", "", "y", "0-1"),
        ("1-0-0", "A", "one", "1-0"),
        ("1-0-1", "A", "two", "1-0"),
        ("1-1-1", "", "three", "1-1"),
    ]
    facts = {"passages": 5, "empty_passages": 0, "queries": {}, "judgements": {}, "study": "study.yaml"}
    assert read_manifest(manifest)["facts"] == facts
    assert Dataset(manifest).splits == []
    assert Dataset(manifest).documents().tolist() == [0, 1, 2, 2, 3]


@pytest.mark.parametrize(("name", "content"), [("a.txt", TXT), ("a.jsonl", JSONL), ("a.json", JSONL)])
def test_compressed_in_one_piece_or_several(tmp_path, name, content):
    data = content.encode()
    assert passages(tmp_path, {name: data}) == EXPECTED
    for pieces in ([data], [data[:20], data[20:]]):
        assert passages(tmp_path, {f"{name}.gz": b"".join(map(gzip.compress, pieces))}) == EXPECTED
        assert passages(tmp_path, {f"{name}.zst": b"".join(map(zstd, pieces))}) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "one", [["one"]]),
        ("a.txt", "\n \none\n\t\n\n\ntwo\n\n", [["one"], ["two"]]),
        ("a.txt", "\ufeffone\r\ntwo\r\n\r\nthree\r\n", [["one", "two"], ["three"]]),
        ("a.txt", " one \u2028 and\x0con\n", [[" one \u2028 and\x0con"]]),
        (
            "a.jsonl",
            '{"text": "one\\r\\n\\r\\n \\ntwo\\n"}\r\n\r\n{"text": ""}\n{"text": 3}',
            [["one", "two"], ["3"]],
        ),
        ("a.jsonl", '{"text": ["one\\nstill one", null, " ", "two"]}\n{"text": []}\n', [["one\nstill one", "two"]]),
        ("a.jsonl", '{"text": null}\n{"text": "one", "title": {"what": "is not asked for"}}\n', [["one"]]),
    ],
)
def test_paragraphs_and_documents(tmp_path, name, content, expected):
    found: dict[str, list[str]] = {}
    for document, paragraph in passages(tmp_path, {name: content}):
        found.setdefault(document, []).append(paragraph)
    assert list(found.values()) == expected


def test_fields_by_other_names(tmp_path):
    files = {"a.jsonl": '{"body": "one", "heading": "One"}\n'}
    manifest = prepare(tmp_path, text(tmp_path, files) | {"text": "body", "title": "heading"})
    assert [(row["title"], row["text"]) for row in rows(manifest)] == [("One", "one")]


PARAGRAPH = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\ufeff"), min_size=1, max_size=8)
DOCUMENT = st.lists(PARAGRAPH.filter(str.strip), min_size=1, max_size=4)


@settings(max_examples=50, deadline=None)
@given(st.lists(DOCUMENT, min_size=1, max_size=5))
def test_every_format_gives_the_same_passages(tmp_path_factory, documents):
    folder = tmp_path_factory.mktemp("formats")
    files = {
        "a.txt": "\n\n".join("\n".join(document) for document in documents),
        "b.jsonl": "\n".join(json.dumps({"text": "\n".join(document)}) for document in documents),
        "c.jsonl": "\n".join(json.dumps({"text": document}, ensure_ascii=False) for document in documents),
    }
    found = rows(prepare(folder, text(folder, files)))
    expected = [
        (f"{file}-{number}", paragraph)
        for file in range(3)
        for number, document in enumerate(documents)
        for paragraph in document
    ]
    assert [(row["document"], row["text"]) for row in found] == expected
    assert len({row["id"] for row in found}) == len(found)
    assert all(row["id"].startswith(row["document"] + "-") for row in found)


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*.txt"], ["a.txt", "b.txt"]),
        (["b.txt", "*.txt"], ["b.txt", "a.txt"]),
        (["w/*", "a.txt"], ["w/1.jsonl", "w/10.jsonl.gz", "w/2.jsonl", "a.txt"]),
        (["**/*.jsonl*"], ["w/1.jsonl", "w/10.jsonl.gz", "w/2.jsonl", "w/deep/3.jsonl"]),
        (["w/[12].jsonl"], ["w/1.jsonl", "w/2.jsonl"]),
        (["[x].txt"], ["[x].txt"]),
    ],
)
def test_patterns_are_sorted_and_a_file_is_read_once(tmp_path, patterns, expected):
    names = ["b.txt", "a.txt", "w/2.jsonl", "w/1.jsonl", "w/10.jsonl.gz", "w/deep/3.jsonl", ".hidden.txt"]
    names += ["[x].txt"] if "[x].txt" in patterns else []
    write_files(tmp_path, dict.fromkeys(names, ""))
    assert text_files([f"{tmp_path}/{pattern}" for pattern in patterns]) == [tmp_path / name for name in expected]


def test_patterns_from_the_working_directory(tmp_path, monkeypatch):
    write_files(tmp_path, {"w/a.txt": "one", "x/b.txt": "two"})
    monkeypatch.chdir(tmp_path / "x")
    assert list(map(str, text_files(["b.txt", "../w/*"]))) == ["b.txt", "../w/a.txt"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": b"one\n\ncaf\xe9\n"}, "a.txt:3: not UTF-8 at byte 4 of the line; re-encode it"),
        ({"a.txt.gz": gzip.compress(b"some text\n" * 99)[:-9]}, "a.txt.gz: broken .gz after line "),
        ({"a.txt.gz": b"one\n"}, "a.txt.gz: broken .gz after line 0 ("),
        ({"a.txt.zst": zstd(b"one\n")[:-1]}, "a.txt.zst: broken .zst after line 0 (Truncated compressed stream); "),
        ({"a.txt.zst": b"one\n"}, "a.txt.zst: broken .zst after line 0 (ZSTD decompress failed: "),
        ({"a.txt.zst": zstd(b"one\n") + b"two\n"}, "a.txt.zst: broken .zst after line "),
        ({"a.jsonl": '{"text": "one"}\n{"text": \n'}, "a.jsonl:2: not JSON (Expecting value"),
        ({"a.jsonl": '["one"]\n'}, "a.jsonl:1: expected a JSON object, found list"),
        ({"a.jsonl": '{"id": 1, "body": "one"}\n'}, "a.jsonl:1: no column 'text'; there is id, body"),
        ({"a.jsonl": '{"text": {"a": "one"}}\n'}, "a.jsonl:1: column 'text' holds a dict, expected text"),
        ({"a.jsonl": '{"text": ["a", ["b"]]}\n'}, "a.jsonl:1: column 'text' holds a list, expected text"),
        ({"a.jsonl": '{"text": ["a", "b\\ud83d"]}\n'}, "a.jsonl:1: column 'text' holds half a character at 2; mend it"),
        ({"a.txt": "\n \n\n", "b.jsonl": "\n"}, "a.txt, {}/b.jsonl: the corpus is empty, no passage was found"),
        ({"a.txt": b"\xff", "b.pdf.gz": ""}, "b.pdf.gz: unknown format '.pdf'; use .txt or .jsonl, plain, .gz or .zst"),
        ({"a.gz": ""}, "a.gz: unknown format ''; use .txt or .jsonl, plain, .gz or .zst"),
    ],
)
def test_faults(tmp_path, files, message):
    fails_with(tmp_path, text(tmp_path, files), message.format(tmp_path))


@pytest.mark.parametrize("pattern", ["b.txt", "*.jsonl", "w", "w/*"])
def test_what_names_no_file(tmp_path, pattern):
    (tmp_path / "w/deep").mkdir(parents=True)
    fails_with(tmp_path, text(tmp_path, {"a.txt": b"\xff"}, "a.txt", pattern), f"{pattern}: no such file")


def test_a_named_title_must_be_there(tmp_path):
    files = {"a.jsonl": '{"heading": "One", "text": "one"}\n'}
    fails_with(tmp_path, text(tmp_path, files, title="title"), "a.jsonl:1: no column 'title'; there is heading, text")


# --- large corpora ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "line"),
    [("a.txt", "a paragraph\n"), ("b.txt.zst", "a document\n\n"), ("c.jsonl.gz", '{"text": "a\\nb"}\n')],
)
def test_memory_does_not_grow_with_the_corpus(tmp_path, monkeypatch, name, line):
    monkeypatch.setattr(dataset, "BATCH", 100)
    compress = {"zst": zstd, "gz": gzip.compress}.get(name.split(".")[-1], bytes)

    def peak(lines):
        write_files(tmp_path, {name: compress(line.encode() * lines)})
        writer = DatasetWriter(Artifact(tmp_path / f"{lines}/manifest.json"))
        tracemalloc.start()
        source.write(writer, [str(tmp_path / name)], "text")
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            writer.finish()
            assert writer.count >= lines

    peak(1000)  # what is made once
    assert peak(20_000) < 1.2 * peak(1000)


def test_long_work_says_how_far_it_is(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(source, "LOG_SECONDS", -1)
    with caplog.at_level(logging.INFO):
        prepare(tmp_path, text(tmp_path, {"a.txt": TXT}))
    assert [record.getMessage() for record in caplog.records] == [
        "1 passages, 1 documents",
        "2 passages, 1 documents",
        "3 passages, 2 documents",
    ]
