"""Does a passage contain an answer? DPR's rule: the answer's words in a row, whatever their case.

Words are runs of letters, digits and marks, or any other single character that is seen, after NFD normalisation. Nearly
all pairs of passage and answer are decided without dividing the passage into words.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import regex

from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run
from dewpoint.errors import UserError

LETTERS = r"[\p{L}\p{N}\p{M}]"
WORD = regex.compile(rf"{LETTERS}+|[^\p{{Z}}\p{{C}}]", regex.IGNORECASE | regex.UNICODE | regex.MULTILINE)
LETTER = regex.compile(LETTERS, WORD.flags)


def words(text: str) -> str:
    """The words of a text with a space before, between and after: one text's words are in another's as a substring."""
    return f" {' '.join(WORD.findall(unicodedata.normalize('NFD', text)))} ".lower()


def folded(text: str) -> str:
    """A text with its letters as `words` has them, but undivided, and with sigmas alike: their form depends on words."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFD", text).lower().replace("ς", "σ")


class Answer(NamedTuple):
    parts: list[str]  # its words as in folded texts, the longest first
    phrase: str  # its words as `words` has them, with single spaces between
    lettered: bool  # nothing but words of letters, none of them with a sigma


def known(answers: Iterable[str]) -> list[Answer]:
    """A query's answers without those that have no words, or in which another one's are."""
    found = {words(answer) for answer in answers} - {words("")}
    least = [one for one in found if not any(other in one for other in found if other is not one)]
    return [_answer(one.strip()) for one in sorted(least)]


def _answer(phrase: str) -> Answer:
    parts = sorted(map(folded, phrase.split()), key=len, reverse=True)
    return Answer(parts, phrase, all(map(_joins, phrase.replace(" ", ""))) and "σ" not in folded(phrase))


def matches(texts: list[str], answers: dict[int, list[Answer]], pairs: Iterable[tuple[int, int]]) -> list[bool]:
    """For each (query, row of `texts`): does the text contain an answer of the query?"""
    whole, divided, found = [folded(text) for text in texts], {}, []

    def contains(row: int, answer: Answer) -> bool:
        if answer.lettered:
            if _stands(whole[row], answer.phrase):
                return True
            if " " not in answer.phrase or (whole[row].isprintable() and "  " not in whole[row]):
                return False
        if not all(part in whole[row] for part in answer.parts):
            return False
        if row not in divided:
            divided[row] = words(texts[row])
        return f" {answer.phrase} " in divided[row]

    for query, row in pairs:
        text = whole[row]
        for answer in answers[query]:
            if answer[0][0] in text and contains(row, answer):
                found.append(True)
                break
        else:
            found.append(False)
    return found


def _stands(text: str, phrase: str) -> bool:
    """Is a phrase in a text, and no part of longer words?"""
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        if not (at and _joins(text[at - 1]) or end < len(text) and _joins(text[end])):
            return True
        at = text.find(phrase, at + 1)
    return False


@cache
def _joins(letter: str) -> bool:
    """Does a character make one word with its neighbours?"""
    return LETTER.match(letter) is not None


def with_answer(run: Run, dataset: Dataset, split: str) -> np.ndarray:
    """Which rows of a run have a passage that contains an answer of their query; the corpus is read once."""
    column = dataset.column(f"queries.{split}", "answers")
    if not len(column.flatten()):
        raise UserError(f"{dataset.manifest.parent}: no query of {split} has any answers to look for")
    queries = np.unique(run.query)
    answers = dict(zip(queries.tolist(), map(known, column.take(pa.array(queries)).to_pylist()), strict=True))
    found, order, first = np.zeros(len(run.query), bool), np.argsort(run.passage, kind="stable"), 0
    for batch in dataset.batches("corpus", ["text"]):
        within = order[slice(*np.searchsorted(run.passage[order], [first, first + batch.num_rows]))]
        rows, place = np.unique(run.passage[within] - first, return_inverse=True)
        texts = batch["text"].take(pa.array(rows)).to_pylist()
        found[within] = matches(texts, answers, zip(run.query[within].tolist(), place.tolist(), strict=True))
        first += batch.num_rows
    return found
