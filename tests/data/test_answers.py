"""Answers: found as a slow reading, word by word, finds them; passages with an answer are no negatives."""

import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.answers import plain_contains, plain_words
from data.test_negatives import options
from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.answers import Answers, _tables, _utf8, with_answer
from dewpoint.data.answers_scan import divided
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.negatives import read_negatives, write_negatives
from dewpoint.data.runs import Run, ranked
from dewpoint.errors import UserError
from stored import store_run

PLAIN = "aAbé É1 ,.-\n\tßΣσ漢 "
NASTY = "aZ9_'’–…·«İıſKÅΩΣσςΐéếǅﬁ½①٣५Ⅳⓐ≠;`\u0301\u0327\u0345\u200b\u200d\u00ad\u00a0\u2003\u3000가각한각ᾳ漢Ａ𝔸𝟘😀́"
TEXT = st.text(st.sampled_from(PLAIN), max_size=30)
ANY = st.text(st.one_of(st.sampled_from(PLAIN + NASTY), st.characters(exclude_categories=["Cs"])), max_size=20)


def found(texts, answers, pairs):
    """Of each (text, query), as the library finds it."""
    text, query = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    return Answers(pa.array(answers, pa.list_(pa.string()))).found(pa.array(texts, pa.string()), text, query).tolist()


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


@settings(deadline=None)
@given(TEXT, TEXT)
@example("The U.S. won", "u.s.")
@example("in 1998 a", "199")
@example("café", "CAFE\u0301")
@example("one two", "e t")
@example("a b", "")
def test_an_answers_words_stand_in_a_row(text, answer):
    assert found([text], [[answer]], [(0, 0)]) == [slow_contains(text, answer)]


@settings(max_examples=1000, deadline=None)
@given(st.data())
def test_whatever_the_characters(data):
    """Answers are mostly cut from a text, in capitals or not, so that many are there, or nearly."""
    texts = data.draw(st.lists(ANY, min_size=1, max_size=4))
    pieces = [text[first : first + 6] for text in texts for first in range(0, len(text), 3)] or [""]
    piece = st.sampled_from(pieces)
    answers = data.draw(st.lists(st.lists(st.one_of(piece, piece.map(str.upper), ANY), max_size=3), min_size=1))
    pairs = [(text, query) for text in range(len(texts)) for query in range(len(answers))]
    assert found(texts, answers, pairs) == [plain_contains(texts[text], answers[query]) for text, query in pairs]


def test_every_character_is_what_the_rule_takes_it_for():
    """By itself, and twice with a letter between: the library's tables against the rule's expression."""
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = [f"a{letter}b{letter}" for letter in every]
    wanted = [plain_words(text) for text in texts]
    words, starts = divided(*_utf8(pa.array(texts)), *_tables()[:3])
    same, other = {}, {}
    for own, hashes in zip(wanted, map(tuple, np.split(words, starts[1:-1])), strict=True):
        assert len(own) == len(hashes)
        for word, value in zip(own, hashes, strict=True):
            assert same.setdefault(word, value) == value
            assert other.setdefault(value, word) == word


def test_in_blocks_and_pieces():
    """Slices of arrays, queries without answers, no pairs."""
    texts, answers = pa.array(["x", "Paris", "in Paris", "rome"]), pa.array([["x"], [], ["paris", "?"], None, ["Rome"]])
    some = Answers(answers.slice(1)).found(texts.slice(1), np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 3]))
    assert some.tolist() == [False, True, True, False, True]
    assert Answers(answers).found(texts, np.zeros(0, int), np.zeros(0, int)).tolist() == []


@pytest.fixture
def dataset(tmp_path):
    return small(tmp_path)


def small(folder):
    """Eight passages; the first query has the answers 'Paris' and 'the Seine', the second has none."""
    artifact = Artifact(folder / "data" / "manifest.json")
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


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 7)), unique=True, min_size=1), st.integers(1, 9))
def test_rows_of_a_run_in_any_order(tmp_path_factory, pairs, batch):
    dataset = small(tmp_path_factory.mktemp("dataset"))
    query, passage = np.array(pairs, np.int32).T
    batches = Dataset.batches
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataset, "batches", lambda self, table, columns: batches(self, table, columns, batch))
        answered = with_answer(Run(query, passage, np.zeros(len(query), np.float32)), dataset, "train")
    assert answered.tolist() == [pair in {(0, 0), (0, 2), (0, 3), (0, 6)} for pair in pairs]
