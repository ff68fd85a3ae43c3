"""Answers: found as a slow reading, word by word, finds them; passages with an answer are no negatives."""

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.test_negatives import options
from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.answers import contains, words
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.negatives import read_negatives, write_negatives
from dewpoint.data.runs import ranked
from dewpoint.errors import UserError
from stored import store_run

TEXT = st.text(st.sampled_from("aAbé É1 ,.-\n\tßΣσ漢 "), max_size=30)


def slow_words(text: str) -> list[str]:
    """Letter by letter: letters, digits and marks make words, any other visible character is one."""
    found, word = [], ""
    for letter in [*unicodedata.normalize("NFD", text), " "]:
        kind = unicodedata.category(letter)[0]
        if kind in "LNM":
            word += letter
            continue
        found += [word.lower()] if word else []
        found += [letter.lower()] if kind not in "ZC" else []
        word = ""
    return found


def slow_contains(text: str, answer: str) -> bool:
    whole, part = slow_words(text), slow_words(answer)
    return bool(part) and any(whole[at : at + len(part)] == part for at in range(len(whole)))


@given(TEXT, TEXT)
@example("The U.S. won", "u.s.")
@example("in 1998 a", "199")
@example("café", "CAFE\u0301")
@example("one two", "e t")
@example("a b", "")
def test_an_answers_words_stand_in_a_row(text, answer):
    assert contains(words(text), [words(answer)]) == slow_contains(text, answer)


@pytest.fixture
def dataset(tmp_path):
    """Eight passages; the first query has the answers 'Paris' and 'the Seine', the second has none."""
    artifact = Artifact(tmp_path / "data" / "manifest.json")
    writer = DatasetWriter(artifact)
    texts = ["Paris it is", "parisian life", "the seine", "of Paris, too", "Rome", "the Tiber", "Paris", "nothing"]
    for row, text in enumerate(texts):
        writer.passage("", f"p{row}", text)
    for row, answers in enumerate([("Paris", "the Seine"), ()]):
        writer.query("", "train", f"q{row}", "which?", answers)
        writer.judgement("", "train", f"q{row}", "p0")
    writer.query("", "train", "q2", "without a positive")
    for row in range(2):
        writer.query("", "plain", f"q{row}", "which?")
        writer.judgement("", "plain", f"q{row}", "p0")
    writer.finish()
    artifact.seal()
    return Dataset(artifact.manifest)


RUN = ranked(np.repeat([0, 1, 2], 8), np.tile(np.arange(8), 3), np.tile(-np.arange(8.0), 3).astype(np.float32), 100)


@pytest.mark.parametrize(
    ("without", "kept", "counts"),
    [
        (["judged"], [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]], {"judged": 2}),
        (["answers"], [[1, 4, 5], [0, 1, 2, 3, 4, 5, 6]], {"with_answer": 4}),
        (["judged", "answers"], [[1, 4, 5], [1, 2, 3, 4, 5, 6]], {"judged": 2, "with_answer": 3}),
        ([], [[0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]], {}),
    ],
)
def test_what_is_no_negative_is_taken_out_and_counted(dataset, tmp_path, monkeypatch, without, kept, counts):
    """Within a depth of seven; the corpus is read three passages at a time."""
    batches = Dataset.batches
    monkeypatch.setattr(Dataset, "batches", lambda self, table, columns: batches(self, table, columns, 3))
    artifact = Artifact(tmp_path / "n.json")
    write_negatives(artifact, [store_run(tmp_path, "run", RUN)], dataset, options(depth=7, kept=10, without=without))
    artifact.seal()
    made = read_negatives(artifact.manifest)
    found = [sorted(made.passages[first:last].tolist()) for first, last in pairwise(made.offsets)]
    assert (made.query.tolist(), found) == ([0, 1], kept)
    facts = read_manifest(artifact.manifest)["facts"]
    assert (facts["queries"], facts["queries_without_positive"]) == (2, 1)
    assert facts["sources"] == [counts | {"negatives": sum(map(len, kept)), "queries_without": 0}]


def test_without_any_answer_it_says_so(dataset, tmp_path):
    with pytest.raises(UserError, match=r"/data: no query of plain has any answers"):
        run = store_run(tmp_path, "run", RUN)
        write_negatives(Artifact(tmp_path / "n.json"), [run], dataset, options(split="plain", without=["answers"]))
