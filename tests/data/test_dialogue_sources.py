"""Dialogues: each format's odd rows come out as a slow reading has them; what cannot be read is named in a line."""

import csv
import gzip
import io
import json
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import read_manifest
from dewpoint.data import tiny
from dewpoint.data.dataset import Dataset
from dewpoint.data.tiny_marco import write_tar
from dewpoint.sources import convai2, dstc7, ubuntu
from dewpoint.sources._dialogue import CANDIDATES
from dewpoint.study.kind import kind
from programs import downloads, prepare

MODULES = {"convai2": convai2, "ubuntu": ubuntu, "dstc7": dstc7}
CHAT = """1 your persona: i fish.
2 your persona: i ski .
3 hi , you ?\ti am fine\t\tno|i am fine|yes
4 and then ?\tyes\t\tno|no|maybe|yes
1 your persona: i cook.
2 so ?\ti am fine\t\tyes|no
"""
TRAIN = [ubuntu.LABELLED, ["a __eou__ b __eou__ __eot__ c __eou__ __eot__ ", "thanks __eou__", "1.0"], ["x", "y", "0"]]
RANKED = [ubuntu.RANKED, ["a __eou__ __eot__ ", "thanks __eou__", *"defghij", "d", "thanks __eou__"]]


def archive(folder, source: str, files: dict[str, str]):
    """The manifest of its download."""
    (folder / source).mkdir(parents=True)
    write_tar(folder / source / MODULES[source].FILE, files)
    return downloads(folder / source)


def prepared(folder, source: str, files: dict[str, str], **options):
    return prepare(folder, {"source": source, **options}, files=[archive(folder, source, files)])


def chats(train: str = CHAT, valid: str = CHAT, persona: str = "original") -> dict[str, str]:
    return {f"train_self_{persona}.txt": train, f"valid_self_{persona}.txt": valid}


def table(rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()


def help_of(train=TRAIN, valid=RANKED, test=RANKED) -> dict[str, str]:
    return {f"{name}.csv": table(rows) for name, rows in (("train", train), ("valid", valid), ("test", test))}


def dialogue(id: int = 7, right: tuple[str, ...] | None = ("so",), options=("no", "so"), turns=("hi", "yes?")) -> dict:
    said = [{"speaker": f"participant_{1 + at % 2}", "utterance": turn} for at, turn in enumerate(turns)]
    one = {"example-id": id, dstc7.TURNS: said, dstc7.OPTIONS: [{"utterance": text} for text in options]}
    return one | ({dstc7.RIGHT: [{"utterance": text} for text in right]} if right is not None else {})


def challenge(answers: str = "7\tC1\tso\n", **others: list[dict]) -> dict[str, str]:
    parts = {"train": [dialogue()], "dev": [dialogue()], "test": [dialogue(right=None)]} | others
    packed = {f"ubuntu_{part}_subtask_1.json": json.dumps(entries) for part, entries in parts.items()}
    return packed | {dstc7.ANSWERS: answers}


def rows(manifest, name: str) -> list[tuple]:
    return [tuple(row.values()) for row in pq.read_table(manifest.parent / f"{name}.parquet").to_pylist()]


def found(manifest, split: str) -> list[tuple[str, str, list[str] | None]]:
    """(context, response, candidates) of a split."""
    data, passages = Dataset(manifest), [text for _, _, text, _ in rows(manifest, "corpus")]
    contexts, right = [text for _, text, _ in rows(manifest, f"queries.{split}")], data.paired(split)
    listed: list[list[str] | None] = [None] * len(contexts)
    if split in read_manifest(manifest)["facts"].get("lists", {}).get(CANDIDATES, {}):
        query, passage = data.listed(CANDIDATES, split)
        listed = [[passages[row] for row in passage[query == at]] for at in range(len(contexts))]
    return [(context, passages[row], of) for context, row, of in zip(contexts, right.tolist(), listed, strict=True)]


# --- formats ------------------------------------------------------------------------------------


def test_a_context_is_a_persona_and_all_that_was_said(tmp_path):
    """A candidate that comes twice counts once; a list that lacks the response gets it; equal texts are one passage."""
    manifest = prepared(tmp_path, "convai2", chats())
    known = "your persona: i fish.\nyour persona: i ski ."
    expected = [
        (f"{known}\nhi , you ?", "i am fine", ["no", "i am fine", "yes"]),
        (f"{known}\nhi , you ?\ni am fine\nand then ?", "yes", ["no", "maybe", "yes"]),
        ("your persona: i cook.\nso ?", "i am fine", ["yes", "no", "i am fine"]),
    ]
    assert found(manifest, "train") == found(manifest, "dev") == expected
    assert [text for _, _, text, _ in rows(manifest, "corpus")] == ["no", "i am fine", "yes", "maybe"]
    facts = read_manifest(manifest)["facts"]
    assert facts["repeated_candidates"] == facts["added_responses"] == {"train": 1, "dev": 1}
    assert facts["judgements"] == {"train": 3, "dev": 3}


def test_the_persona_that_is_asked_for_is_read(tmp_path):
    files = chats() | chats("1 x\ty\t\ty\n", "1 z\ty\t\ty\n", "revised")
    assert found(prepared(tmp_path, "convai2", files, persona="revised"), "dev") == [("z", "y", ["y"])]


def test_rows_that_are_right_are_pairs_and_the_others_nothing(tmp_path):
    manifest = prepared(tmp_path, "ubuntu", help_of())
    assert found(manifest, "train") == [("a . b . \n c .", "thanks .", None)]
    right = [("a .", "thanks .", [*"defghij", "thanks ."])]
    assert found(manifest, "dev") == found(manifest, "test") == right
    assert "y" not in [text for _, _, text, _ in rows(manifest, "corpus")]
    assert read_manifest(manifest)["facts"]["repeated_candidates"] == {"dev": 2, "test": 2}


def test_answers_of_the_test_set_are_in_a_file_of_their_own(tmp_path):
    """Wherever it lies in the archive; other files there are passed over."""
    test = [dialogue(3, None, ["a", "so"]), dialogue(7, None, ["a", "b"])]
    files = challenge(test=test, answers="7\tC1\ta\ttab\n3\tC2\tso\n")
    turned = {"else.json": "x", **dict(reversed(files.items()))}
    for at, order in enumerate((files, turned)):
        manifest = prepared(tmp_path / str(at), "dstc7", order)
        context = "participant 1: hi\nparticipant 2: yes?"
        assert found(manifest, "train") == found(manifest, "dev") == [(context, "so", ["no", "so"])]
        assert found(manifest, "test") == [(context, "so", ["a", "so"]), (context, "a\ttab", ["a", "b", "a\ttab"])]
        assert read_manifest(manifest)["facts"]["added_responses"] == {"test": 1}


WORD = st.sampled_from(["yes", "no", "é", "a b", "…"])
EXCHANGE = st.tuples(st.lists(WORD, min_size=1, max_size=3), WORD, st.lists(WORD, max_size=4))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(EXCHANGE, min_size=1, max_size=3), min_size=1, max_size=3))
def test_any_chats_equal_a_slow_reading(tmp_path_factory, written):
    """Of each text one passage; lists are what was written, each once, with the response."""
    lines, expected = [], []
    for chat in written:
        said, numbered = [], []
        for turns, right, others in chat:
            said += turns
            expected.append(("\n".join(said), right, list(dict.fromkeys([*others, right]))))
            numbered += [*turns[:-1], f"{turns[-1]}\t{right}\t\t{'|'.join([*others, right])}"]
            said.append(right)
        lines += [f"{number} {line}" for number, line in enumerate(numbered, 1)]
    text = "\n".join(lines) + "\n"
    manifest = prepared(tmp_path_factory.mktemp("chats"), "convai2", chats(text, text))
    assert found(manifest, "train") == found(manifest, "dev") == expected
    passages = [text for _, _, text, _ in rows(manifest, "corpus")]
    assert len(set(passages)) == len(passages)


# --- rehearsals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("source", MODULES)
def test_tiny_files_have_what_is_promised(tmp_path, source):
    """Each query has its response among its candidates, which are of the real number but for what comes twice."""
    module = MODULES[source]
    module.rehearse(tmp_path / "files", tiny.Words(1))
    manifest = prepare(tmp_path, {"source": source}, files=[downloads(tmp_path / "files")])
    facts, declared = read_manifest(manifest)["facts"], kind("sources", source)(source=source)
    assert facts["queries"] == declared.expected_small()["queries"] == facts["judgements"]
    assert {name: [*of] for name, of in facts["lists"].items()} == declared.lists
    data = Dataset(manifest)
    for split in declared.lists[CANDIDATES]:
        query, passage = data.listed(CANDIDATES, split)
        counts = np.bincount(query)
        repeated = facts["repeated_candidates"].get(split, 0)
        assert len(counts) == facts["queries"][split] and counts.max() == 1 + module.OTHERS
        assert counts.sum() == (1 + module.OTHERS) * len(counts) - repeated
        assert repeated and set(zip(range(len(counts)), data.paired(split).tolist(), strict=True)) <= set(
            zip(query.tolist(), passage.tolist(), strict=True)
        )


@pytest.mark.parametrize("source", MODULES)
def test_the_same_seed_writes_the_same_bytes(tmp_path, source):
    for folder in (tmp_path / "one", tmp_path / "two"):
        MODULES[source].rehearse(folder, tiny.Words(3))
    one, two = ((tmp_path / name / MODULES[source].FILE).read_bytes() for name in ("one", "two"))
    assert one == two and tarfile.open(fileobj=io.BytesIO(gzip.decompress(one))).getnames()


# --- mistakes -----------------------------------------------------------------------------------

LONG = [*ubuntu.RANKED, "Distractor_9"]
MISTAKES = {
    "numbers": ("convai2", chats("2 x\n"), "train_self_original.txt:1: line number '2', expected 1, or 1 where"),
    "gap": ("convai2", chats("1 x\n3 y\n"), "train_self_original.txt:2: line number '3', expected 2, or 1 where"),
    "fields": ("convai2", chats("1 x\ty\n"), "train_self_original.txt:1: 2 fields, expected text, response, reward"),
    "file": ("convai2", chats(persona="revised"), " has no 'train_self_original.txt', only train_self_revised.txt"),
    "empty": ("convai2", chats("", ""), " the corpus is empty, no passage was found"),
    "context": ("convai2", chats("1 \ty\t\ty\n"), "train_self_original.txt:1: query '0' has no text"),
    "columns": ("ubuntu", help_of(train=RANKED), "train.csv: its columns are Context, Ground Truth Utterance, "),
    "more columns": ("ubuntu", help_of(test=[LONG]), "test.csv: its columns are Context, Ground Truth Utterance, "),
    "nothing": ("ubuntu", help_of(valid=[]), "valid.csv: its columns are none; expected Context, Ground Truth"),
    "row": ("ubuntu", help_of(valid=[*RANKED, ["a", "b"]]), "valid.csv:3: 2 fields, the header has 11"),
    "label": ("ubuntu", help_of(train=[*TRAIN, ["a", "b", "2"]]), "train.csv:4: label '2', expected 1 or 0"),
    "no number": ("ubuntu", help_of(train=[*TRAIN, ["a", "b", "x"]]), "train.csv:4: label 'x' is not a number"),
    "quote": ("ubuntu", help_of() | {"test.csv": 'Context,"x\n'}, "test.csv:1: not CSV ("),
    "two right": ("dstc7", challenge(dev=[dialogue(right=("a", "b"))]), "entry 1: 'options-for-correct-answers' has 2"),
    "none right": ("dstc7", challenge(train=[dialogue(right=())]), "entry 1: 'options-for-correct-answers' has 0"),
    "unanswered": ("dstc7", challenge(answers="8\tC1\tso\n"), "entry 1: example '7' has no line in ubuntu_responses"),
    "answers": (
        "dstc7",
        challenge(answers="7\tso\n"),
        "ubuntu_responses_subtask_1.tsv:1: 2 fields, expected example-id",
    ),
    "turns": ("dstc7", challenge(train=[{dstc7.RIGHT: [{"utterance": "x"}], dstc7.TURNS: "x"}]), "entry 1: 'messages-"),
    "speaker": (
        "dstc7",
        challenge(dev=[dialogue() | {dstc7.TURNS: [{"utterance": "x"}]}]),
        "entry 1: no column 'speaker'",
    ),
    "silence": ("dstc7", challenge(dev=[dialogue(turns=())]), "entry 1: query '0' has no text"),
    "json": ("dstc7", challenge() | {"ubuntu_dev_subtask_1.json": "[{]"}, "ubuntu_dev_subtask_1.json: entry 1 is not"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(tmp_path, name):
    source, files, message = MISTAKES[name]
    with pytest.raises(SystemExit) as exit:
        prepared(tmp_path, source, files)
    line = str(exit.value)
    assert message in line and MODULES[source].FILE in line and len(line.splitlines()) == 1
    assert not list((tmp_path / "out").iterdir())
