"""Does a passage contain an answer? DPR's rule: the answer's words in a row, whatever their case.

Words are runs of letters, digits and marks, or any other single character that is seen, after NFD normalisation. They
are compared by hashes of 64 bits.
"""

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import regex

from dewpoint.data.answers_scan import LETTER, SYMBOL, divided, scan, with_any
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run
from dewpoint.errors import UserError

LETTERS, SYMBOLS = r"[\p{L}\p{N}\p{M}]+", r"[^\p{L}\p{N}\p{M}\p{Z}\p{C}]+"
SIGMA = "Σ"  # the one letter whose small form depends on where in its word it is
CHARACTERS, COMMON = 0x110000, 0x3000  # all there are; those of alphabets and of punctuation


def with_answer(run: Run, dataset: Dataset, split: str) -> np.ndarray:
    """Which rows of a run have a passage that contains an answer of their query; the corpus is read once."""
    answers = dataset.column(f"queries.{split}", "answers")
    if not len(answers.flatten()):
        raise UserError(f"{dataset.manifest.parent}: no query of {split} has any answers to look for")
    queries, query = np.unique(run.query, return_inverse=True)
    answers = Answers(answers.take(pa.array(queries)))
    found, order, first = np.zeros(len(query), bool), np.argsort(run.passage, kind="stable"), 0
    for batch in dataset.batches("corpus", ["text"]):
        within = order[slice(*np.searchsorted(run.passage[order], [first, first + batch.num_rows]))]
        rows, place = np.unique(run.passage[within] - first, return_inverse=True)
        found[within] = answers.found(batch["text"].take(pa.array(rows)), place, query[within])
        first += batch.num_rows
    return found


class Answers:
    """The answers of some queries, divided into words."""

    def __init__(self, answers: pa.ListArray):
        self.bounds = np.concatenate([[0], np.cumsum(pc.list_value_length(answers).fill_null(0))])
        self.words, self.starts = divided(*_utf8(answers.flatten()), *_tables()[:3])

    def found(self, texts: pa.StringArray, text: np.ndarray, query: np.ndarray) -> np.ndarray:
        """For each pair of a text's and a query's number: does the text contain an answer? Pairs come by text."""
        found = np.zeros(len(query), bool)
        if len(query):
            bounds = np.searchsorted(text, np.arange(len(texts) + 1))
            scan(*_utf8(texts), *_tables()[:3], bounds, query, self.bounds, self.starts, self.words, found)
        return found


def _utf8(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """(UTF-8 of texts, where each begins and the last one ends); where characters alone do not tell, in normal form."""
    hard = with_any(*_buffers(texts), _tables()[3])
    if hard.any():
        hard = pa.array(hard)
        texts = pc.replace_with_mask(texts, hard, pa.array(map(_normal, texts.filter(hard).to_pylist()), pa.string()))
    return _buffers(texts)


def _buffers(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    _, offsets, data = texts.buffers()
    offsets = np.frombuffer(offsets or bytes(4), np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data or b"", np.uint8), offsets


def _normal(text: str) -> str:
    text = unicodedata.normalize("NFD", text)
    return " ".join(regex.findall(f"{LETTERS}|.", text)).lower() if SIGMA in text else text.lower()


@cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of every character: its kind, its normal small form, a mark that comes with that, and whether it is hard.

    A hard one is all that must be seen with its neighbours, or has a longer form; there texts are normalised first.
    """
    everything, kinds = "".join(map(chr, range(CHARACTERS))), np.zeros(CHARACTERS, np.uint8)
    for kind, pattern in ((LETTER, LETTERS), (SYMBOL, SYMBOLS)):
        for match in regex.finditer(pattern, everything):
            kinds[slice(*match.span())] = kind
    small, marks = np.arange(CHARACTERS, dtype=np.uint32), np.zeros(CHARACTERS, np.uint32)
    hard = small >= COMMON
    for code in range(COMMON):
        form = [ord(letter) for letter in unicodedata.normalize("NFD", chr(code)).lower()]
        hard[code] = chr(code) == SIGMA or unicodedata.combining(chr(form[0])) or len(form) > 2
        hard[code] |= len(form) == 2 and (kinds[form] != LETTER).any()
        if not hard[code]:
            small[code], marks[code] = form[0], form[-1] if len(form) == 2 else 0
    return kinds, small, marks, hard
