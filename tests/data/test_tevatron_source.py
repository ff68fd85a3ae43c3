"""Tevatron's JSON lines, of both versions."""

import pyarrow.parquet as pq
import pytest

from dewpoint.artifact import read_manifest
from programs import fails_with, prepare, write_files

CORPUS = """{"docid": "a", "title": "A", "text": "one"}
{"docid": 2, "text": "two"}
{"docid": "c", "title": null, "text": "three"}
"""
FIRST = (
    '{"query_id": "q1", "query": "first?", "answers": ["x", "y"],'
    ' "positive_passages": [{"docid": "c", "text": "other"}],'
    ' "negative_passages": [{"docid": 2}, {"docid": "a"}, {"docid": 2}]}\n'
    '{"query_id": 7, "query": "second?"}\n'
)
SECOND = (
    '{"query_id": "q1", "query_text": "first?", "positive_document_ids": ["c"], "negative_document_ids": [2, "a"]}\n'
)


def tevatron(folder, corpus=CORPUS, **queries):
    """Settings of a dataset in `folder`, its files written."""
    write_files(folder, {"corpus.jsonl": corpus} | {f"{split}.jsonl": text for split, text in queries.items()})
    files = {split: f"{folder}/{split}.jsonl" for split in queries}
    return {"source": "tevatron", "corpus": [f"{folder}/corpus.jsonl"], "queries": files}


def rows(manifest, table):
    return [tuple(row.values()) for row in pq.read_table(manifest.parent / f"{table}.parquet").to_pylist()]


def test_both_versions(tmp_path):
    manifest = prepare(tmp_path, tevatron(tmp_path, train=FIRST, dev=SECOND))
    assert rows(manifest, "corpus") == [("a", "A", "one", "a"), ("2", "", "two", "2"), ("c", "", "three", "c")]
    assert rows(manifest, "queries.train") == [("q1", "first?", ["x", "y"]), ("7", "second?", [])]
    assert rows(manifest, "queries.dev") == [("q1", "first?", [])]
    for split in ("train", "dev"):
        assert rows(manifest, f"judgements.{split}") == [(0, 2, 1)]
        assert rows(manifest, f"lists.negatives.{split}") == [(0, 1), (0, 0)]
    assert read_manifest(manifest)["facts"]["lists"] == {"negatives": {"train": 2, "dev": 2}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpus": ""}, "corpus.jsonl: the corpus is empty"),
        ({"corpus": '{"docid": "a"}\n'}, "corpus.jsonl:1: no column 'text'; there is docid"),
        ({"corpus": '{"_id": "a", "text": ""}\n'}, "corpus.jsonl:1: no column 'docid'; there is _id, text"),
        ({"corpus": CORPUS + CORPUS}, "corpus.jsonl:4: passage id 'a' was used before"),
        ({"train": '{"query_id": "q"}\n'}, "train.jsonl:1: no column 'query'; there is query_id"),
        ({"train": '{"query_id": "q", "query": ""}\n'}, "train.jsonl:1: query 'q' has no text"),
        (
            {"train": FIRST.replace('"docid": "c"', '"docid": "z"')},
            "train.jsonl:1: judgement names unknown passage 'z'",
        ),
        ({"train": SECOND.replace("[2", '["z"')}, "train.jsonl:1: list 'negatives' names unknown passage 'z'"),
        ({"train": FIRST.replace('{"docid": 2}', "2", 1)}, "train.jsonl:1: 'negative_passages' is no list of objects"),
        ({"train": SECOND.replace('["c"]', '"c"')}, "train.jsonl:1: column 'positive_document_ids' holds a str"),
        ({"train": SECOND.replace('["c"]', '[["c"]]')}, "train.jsonl:1: column 'positive_document_ids' holds a list"),
        ({"train": FIRST.replace('"docid": "c", ', "")}, "train.jsonl:1: no column 'docid'; there is text"),
    ],
)
def test_mistakes(tmp_path, change, message):
    fails_with(tmp_path, tevatron(tmp_path, **({"train": FIRST} | change)), message)


def test_other_formats_are_refused(tmp_path):
    settings = tevatron(tmp_path, train=FIRST)
    write_files(tmp_path, {"corpus.tsv": "a\tb\n"})
    fails_with(
        tmp_path,
        settings | {"corpus": [f"{tmp_path}/corpus.tsv"]},
        "corpus.tsv: unknown format '.tsv'; use .jsonl, plain",
    )
