"""PAQ's questions: each with the first of its passages that is there; odd rows are counted or named; nothing grows."""

import gzip
import json
import logging
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import dataset as datasets
from dewpoint.data import tiny
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.errors import UserError
from dewpoint.sources import _dpr, dpr, paq
from dewpoint.study.grammar import Study
from programs import downloads, prepare, write_files

CORPUS = "id\ttext\ttitle\n" + "".join(f"{row}\ttext of {row}\tA\n" for row in range(1, 9))
ALL = {"source": "paq", "subset": "all", "dev": 0}


def entry(question="who?", passages=("1",), answer=("x",), subsets=("L4",), **more):
    answers = [{"passage_id": id, "offset": 3, "text": "x", "extractor": "L"} for id in passages]
    return {"question": question, "answer": answer, "subsets": subsets, "answers": answers} | more


def files(folder, entries, corpus=CORPUS):
    content = entries if isinstance(entries, str) else "".join(f"{json.dumps(one)}\n" for one in entries)
    packed = {paq.QUESTIONS: content, _dpr.CORPUS: corpus}
    write_files(folder, {f"paq/{name}": gzip.compress(text.encode()) for name, text in packed.items()})
    return [downloads(folder / "paq")]


def prepared(folder, entries, **options):
    return prepare(folder, ALL | options, files=files(folder, entries))


def rows(manifest, split="train"):
    """(id, question, answers, the row of its passage)."""
    queries = pq.read_table(manifest.parent / f"queries.{split}.parquet").to_pylist()
    passages = Dataset(manifest).paired(split).tolist()
    return [(*query.values(), passage) for query, passage in zip(queries, passages, strict=True)]


def test_odd_rows_are_taken_left_out_or_counted(tmp_path, caplog):
    entries = [
        entry("first", ["99", "3", "2"]),
        entry("unknown", ["99", "0", "9", "01", "", "x"]),
        entry("number", [4], answer="one text"),
        entry("nowhere", []),
        {"question": "no lists at all"},
        entry(" \u200b ", ["1"]),
        entry("no answer", ["8"], answer=None),
        entry("no answer", ["5", "5"], answer=[]),
        entry("none's", [None, "7"], answer=["a", "b"]),
    ]
    manifest = prepared(tmp_path, entries)
    assert rows(manifest) == [
        ("0", "first", ["x"], 2),
        ("1", "number", ["one text"], 3),
        ("2", "no answer", [], 7),
        ("3", "no answer", [], 4),
        ("4", "none's", ["a", "b"], 6),
    ]
    facts = read_manifest(manifest)["facts"]
    assert facts["left_out"] == {"unknown": 3, "blank": 1} and facts["several_passages"] == 2
    assert facts["queries"] == facts["judgements"] == {"train": 5}
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 2 and all(paq.QUESTIONS in line for line in warned)


def test_passages_are_dprs(tmp_path):
    """As that source has them of the same file."""
    manifest = prepared(tmp_path, [entry()])
    theirs = tmp_path / "dpr"
    tiny_files = {name: b"" for name in dpr.Dpr(source="dpr").downloads() if "json" not in name}
    empty = {name: gzip.compress(b"[]") for name in dpr.Dpr(source="dpr").downloads() if "json" in name}
    write_files(theirs, tiny_files | empty | {_dpr.CORPUS: gzip.compress(CORPUS.encode())})
    write_files(theirs, {"trivia-test.qa.csv.gz": gzip.compress(b"")})
    settings = {"source": "dpr", "questions": ["nq", "triviaqa"], "adversarial": False}
    other = prepare(tmp_path, settings, "theirs", [downloads(theirs)])
    corpora = [(one.parent / "corpus.parquet").read_bytes() for one in (manifest, other)]
    assert corpora[0] == corpora[1]
    assert paq.Paq(source="paq").downloads()[_dpr.CORPUS] == dpr.Dpr(source="dpr").downloads()[_dpr.CORPUS]


@pytest.mark.parametrize("subset", ["all", "L1", "L4", "NE"])
def test_a_subset_is_what_is_marked_so(tmp_path, subset):
    marks = [["L1", "L4"], ["L4"], ["NE"], ["NE-legacy"], [], ["L4", "NE"], None]
    manifest = prepared(tmp_path, [entry(f"q{row}", subsets=mark) for row, mark in enumerate(marks)], subset=subset)
    expected = [f"q{row}" for row, mark in enumerate(marks) if subset == "all" or subset in (mark or [])]
    assert [question for _, question, _, _ in rows(manifest)] == expected


def test_what_is_held_out_is_in_one_split_alone(tmp_path):
    """Also what comes again, with other spaces or in capitals."""
    entries = [entry(f"asked {row % 300}", [row % 8 + 1]) for row in range(600)]
    entries += [entry(f" ASKED  {row}") for row in range(100)]
    manifest = prepared(tmp_path, entries, dev=0.2)
    found = {split: rows(manifest, split) for split in ("train", "dev")}
    words = {split: {" ".join(one[1].lower().split()) for one in of} for split, of in found.items()}
    assert not words["train"] & words["dev"] and len(words["train"] | words["dev"]) == 300
    assert 0.1 < len(words["dev"]) / 300 < 0.3
    assert sum(map(len, found.values())) == len(entries)
    for of in found.values():
        assert [id for id, *_ in of] == [str(row) for row in range(len(of))]


def test_shares_are_held_out_within_each_other():
    questions = [f"question {row}" for row in range(20_000)]
    small, large = ({one for one in questions if paq.held_out(one, share)} for share in (0.01, 0.1))
    assert small < large and not any(paq.held_out(one, 0) for one in questions)
    assert abs(len(large) - 2000) < 5 * (20_000 * 0.1 * 0.9) ** 0.5


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 10), max_size=4)), max_size=20))
def test_pairs_are_those_of_a_plain_loop(tmp_path_factory, asked):
    folder = tmp_path_factory.mktemp("paq")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paq, "BLOCK", 3)
        manifest = prepared(folder, [entry(question, map(str, ids)) for question, ids in asked] + [entry("last")])
    expected = []
    for question, ids in [*asked, ("last", [1])]:
        known = [id - 1 for id in ids if 1 <= id <= 8]
        expected += [(question, known[0])] if known else []
    assert [(question, passage) for _, question, _, passage in rows(manifest)] == expected


def entry_of_json(**answers):
    return json.dumps({"question": "q"} | answers)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"question": "x"}\n{"question"', ":2: not JSON ("),
        ('{"question": "x", "question": "y"}', ":1: not JSON (key 'question' twice)"),
        ("[]", ":1: expected a JSON object, found list"),
        (entry_of_json(answers=["1"]), ":1: 'answers' is no list of objects"),
        (entry_of_json(answers=[{"text": "x"}]), ":1: no column 'passage_id'; there is text"),
        (json.dumps({"answers": [{"passage_id": "1"}]}), ":1: no column 'question'; there is answers"),
        (json.dumps(entry(answer={"x": 1})), ":1: column 'answer' holds a dict, expected a list"),
        (json.dumps(entry(answer=[None])), ":1: column 'answer' has nothing in place of a text"),
        (json.dumps(entry(["q"])), ":1: column 'question' holds a list, expected text"),
    ],
)
def test_mistakes(tmp_path, content, message):
    fetched = files(tmp_path, content)
    with pytest.raises(SystemExit) as exit:
        prepare(tmp_path, ALL, files=fetched)
    assert str(exit.value).startswith(f"error: {tmp_path}/paq-fetched/{paq.QUESTIONS}{message}")
    assert len(str(exit.value).splitlines()) == 1


def test_a_subset_of_the_wrong_kind_is_named(tmp_path):
    fetched = files(tmp_path, [entry(subsets="L4")])
    with pytest.raises(SystemExit, match="column 'subsets' holds a str, expected a list"):
        prepare(tmp_path, ALL | {"subset": "L4"}, files=fetched)


@pytest.mark.parametrize("dev", [-0.1, 0.6, True])
def test_a_share_is_of_a_half_at_most(dev):
    with pytest.raises(ValueError, match="dev"):
        Study.model_validate({"datasets": {"d": {"source": "paq", "dev": dev}}})


def test_memory_does_not_grow_with_the_questions(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "BATCH", 100)
    monkeypatch.setattr(paq, "BLOCK", 100)

    def peak(count):
        folder = tmp_path / str(count)
        [manifest] = files(folder, [entry(f"question {row}", [row % 8 + 1]) for row in range(count)])
        fetched = {name: manifest.parent / name for name in (_dpr.CORPUS, paq.QUESTIONS)}
        writer = DatasetWriter(Artifact(folder / "made/manifest.json"))
        tracemalloc.start()
        try:
            paq.write(writer, fetched, "all", 0.1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            writer.finish()

    peak(1000)  # what is made once
    assert peak(16_000) < 1.3 * peak(4_000)


@pytest.mark.parametrize(("subset", "dev"), [("all", 0), ("L4", 0), ("all", 0.25), ("NE", 0.0001)])
def test_a_rehearsal_finds_what_is_promised(tmp_path, subset, dev):
    """However small the share, both splits are as large as it says; odd rows are among them."""
    folder = tmp_path / "files"
    paq.rehearse(folder, tiny.Words(1), subset, dev)
    options = {"source": "paq", "subset": subset, "dev": dev}
    manifest = prepare(tmp_path, options, files=[downloads(folder)])
    facts, promised = read_manifest(manifest)["facts"], paq.Paq(**options).expected_small()
    assert {key: facts[key] for key in promised} == promised
    assert facts["left_out"] == {"unknown": 2, "blank": 1} and facts["several_passages"] > 0
    texts = Dataset(manifest).column("corpus", "text").to_pylist()
    for split in promised["queries"]:
        for _, question, answers, passage in rows(manifest, split):
            words = question.rstrip("?0123456789 ").split()
            assert answers and set(words) & {word.strip(".").lower() for word in texts[passage].split()}


def test_too_many_rows_of_another_file_are_refused(tmp_path):
    """As many passages as DPR has are expected of the real file."""
    source = paq.Paq(source="paq")
    with pytest.raises(SystemExit, match="paq: 8 passages, expected 21,015,324"):
        prepared(tmp_path, [entry()], expected=source.expected())


def test_a_pair_of_no_passage_cannot_be_written(tmp_path):
    writer = DatasetWriter(Artifact(tmp_path / "manifest.json"))
    writer.passage("", "1", "text")
    with pytest.raises(UserError, match="passage row 1, there are 1"):
        writer.paired("here", "train", np.array([0, 1]))
