"""Tiny files for a rehearsal: what is written for a source, the source reads to the end, and finds what is promised."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dewpoint.artifact import read_manifest
from dewpoint.data import tiny
from dewpoint.data.reading import text_files
from dewpoint.program import Settings
from dewpoint.sources import beir, dpr, kilt, pairs, posts, table, tevatron, text, wikipedia
from dewpoint.study.kind import kind
from programs import downloads, prepare


def namespace(options: dict):
    """Options as programs see them."""
    return vars(json.loads(json.dumps(options), object_hook=lambda pairs: Settings(**pairs)))


def rehearsed(folder: Path, module, options: dict, asked: dict | None = None) -> tuple[dict, list[Path]]:
    """A dataset's settings and, where it is fetched, its downloads, made of tiny files as the options `asked` say."""
    module.rehearse(folder, tiny.Words(1), **namespace(asked or options))
    source = module.__name__.rpartition(".")[2]
    return {"source": source, **options}, [downloads(folder)] if kind("sources", source).fetched() else []


def facts(folder, module, options, asked=None):
    settings, files = rehearsed(folder / "files", module, options, asked)
    return read_manifest(prepare(folder, settings, files=files))["facts"]


@pytest.mark.parametrize("questions", [["nq"], ["triviaqa"], ["nq", "triviaqa"]])
def test_dpr_finds_what_is_promised(tmp_path, questions):
    options = {"questions": questions, "adversarial": "nq" in questions}
    found = facts(tmp_path, dpr, options)
    promised = dpr.Dpr(source="dpr", **options).expected_small()
    assert found["passages"] == promised["passages"]
    assert found["queries"] == promised["queries"]
    assert {split: count for split, count in found["judgements"].items() if count} == promised["judgements"]
    splits = {f"{name}-{part}" for name in questions for part in ("train", "dev")}
    assert {name: set(counts) for name, counts in found["lists"].items()} == {
        "negatives": splits,
        "hard": splits,
    } | ({"adversarial": {"nq-train"}} if "nq" in questions else {})
    left_out = {split: {"contexts": 3, "queries": 2} for split in splits}
    if "nq" in questions:
        left_out["nq-train"] = {"contexts": 5, "queries": 2, "adversarial": 1}
    assert found["left_out"] == left_out


@pytest.mark.parametrize("tasks", [["hotpotqa"], ["triviaqa", "fever"]])
def test_kilt_finds_what_is_promised(tmp_path, tasks):
    found = facts(tmp_path, kilt, {"tasks": tasks})
    promised = kilt.Kilt(source="kilt", tasks=tasks).expected_small()
    assert {what: found[what] for what in promised} == promised
    left_out = {"pages": 1, "unnamed": 1, "untouched": 2, "queries": 1}
    assert found["left_out"] == {f"{task}-{part}": left_out for task in tasks for part in ("train", "dev")}
    assert found["provenance"].keys() == found["queries"].keys()


def test_wikipedia(tmp_path):
    found = facts(tmp_path, wikipedia, {})
    articles = tiny.SHARD * len(wikipedia.FILES) - 1  # one has no text
    assert found["passages"] == articles * (tiny.ARTICLE + 2)


def test_beir_has_the_splits_that_are_asked_for(tmp_path):
    options = {"path": str(tmp_path / "files")}
    found = facts(tmp_path, beir, options, options | {"splits": ["mine", "train"]})
    assert found["queries"] == {"mine": tiny.DEV, "train": tiny.TRAIN}


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".jsonl.zst", ".json", ".parquet"])
def test_tables_have_the_columns_that_the_study_names(tmp_path, suffix):
    """The splits share a file of queries."""
    real = {
        "corpus": {"file": f"/elsewhere/corpus{suffix}", "columns": {"id": "pid", "title": "heading"}},
        "queries": {
            part: {"file": f"/elsewhere/queries{suffix}", "columns": {"text": "q"}} for part in ("train", "test")
        },
        "judgements": {"train": {"file": f"/elsewhere/qrels{suffix}", "columns": {"grade": "rel"}, "relevant": 2}},
    }
    here = json.loads(json.dumps(real).replace("/elsewhere/", f"{tmp_path}/files/"))
    found = facts(tmp_path, table, here, real)
    both = tiny.TRAIN + tiny.DEV
    assert (found["passages"], found["queries"]) == (tiny.PASSAGES, {"train": both, "test": both})
    assert found["judgements"] == {"train": 2 * tiny.TRAIN, "test": 0}
    answers = pq.read_table(tmp_path / "out/queries.train.parquet")["answers"].to_pylist()
    assert all(len(texts) == 1 for texts in answers)


def test_text(tmp_path):
    names = ["wiki-0.jsonl.zst", "part-0.txt", "books.txt.gz"]
    options = {"paths": [f"{tmp_path}/files/{name}" for name in names], "text": "body", "title": "heading"}
    found = facts(tmp_path, text, options, options)
    assert found["passages"] == len(names) * (tiny.PASSAGES + len(tiny.ODD))
    assert [path.name for path in text_files(options["paths"])] == names


def test_tevatron(tmp_path):
    """Two files of passages; two splits share one."""
    files = tmp_path / "files"
    options = {
        "corpus": [f"{files}/a.jsonl", f"{files}/b.jsonl.gz"],
        "queries": {"train": f"{files}/train.jsonl", "dev": f"{files}/train.jsonl"},
    }
    found = facts(tmp_path, tevatron, options, options)
    both = tiny.TRAIN + tiny.DEV
    assert (found["passages"], found["queries"]) == (tiny.PASSAGES, {"train": both, "dev": both})
    assert found["judgements"] == {"train": both, "dev": both}
    assert 0 < found["lists"]["negatives"]["train"] < both * tiny.LISTED


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".jsonl.zst", ".parquet"])
def test_pairs(tmp_path, suffix):
    """Two files; the splits share one, in which other columns are theirs."""
    files = [f"{tmp_path}/files/{name}{suffix}" for name in "ab"]
    options = {
        "pairs": {
            "train": {"files": files, "columns": {"query": "question", "title": "heading"}},
            "dev": {"files": files[:1], "columns": {"passage": "answer"}},
        }
    }
    found = facts(tmp_path, pairs, options)
    assert found["queries"] == found["judgements"] == {"train": tiny.TRAIN, "dev": tiny.DEV}
    assert found["passages"] == tiny.TRAIN + tiny.DEV
    assert min(count["empty"] for count in found["left_out"].values()) > 0


POSTS = {
    "submissions": ["RS_0.zst", "RS_1.zst"],
    "comments": ["RC_0.zst"],
    "subreddits": [],
    "without": ["AutoModerator"],
}
POSTS |= {"least_words": 3, "most_words": 500, "comments_per_post": 1, "held_out": 0.001}


@pytest.mark.parametrize(
    ("fields", "dev"),
    [
        ({}, tiny.DEV),
        ({"held_out": 0.0, "subreddits": ["wine"], "without": []}, 0),
        ({"least_words": 30, "most_words": 30, "comments_per_post": 3}, tiny.DEV),
        ({"least_words": 1, "most_words": 1}, tiny.DEV),
    ],
)
def test_posts(tmp_path, fields, dev):
    """Something is left out for most of the reasons."""
    options = POSTS | fields
    for part in ("submissions", "comments"):
        options[part] = [f"{tmp_path}/files/{name}" for name in options[part]]
    found = facts(tmp_path, posts, options)
    most = options["comments_per_post"]
    assert {split: count for split, count in found["queries"].items() if count} == {
        split: most * count for split, count in {"train": tiny.TRAIN, "dev": dev}.items() if count
    }
    for reasons in found["left_out"].values():
        assert {"incomplete", "deleted", "long"} <= {reason for reason, count in reasons.items() if count}


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    tables = {"corpus": {"file": "c.parquet", "columns": {}}, "queries": {}, "judgements": {}}
    for folder in (tmp_path / "one", tmp_path / "two"):
        dpr.rehearse(folder, tiny.Words(3), ["nq", "triviaqa"], True)
        table.rehearse(folder, tiny.Words(3), **namespace(tables))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 9
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
