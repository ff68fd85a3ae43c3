"""Does a passage contain an answer? DPR's rule: the answer's words in a row, whatever their case.

Words are runs of letters, digits and marks, or any other single character that is seen, after NFD normalisation.
"""

import unicodedata
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import regex

from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run
from dewpoint.errors import UserError

WORD = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]", regex.IGNORECASE | regex.UNICODE | regex.MULTILINE)


def words(text: str) -> str:
    """The words of a text with a space before, between and after: one text's words are in another's as a substring."""
    return f" {' '.join(WORD.findall(unicodedata.normalize('NFD', text)))} ".lower()


def contains(text: str, answers: Iterable[str]) -> bool:
    """`text` and `answers` are what `words` made of them."""
    return any(answer in text for answer in answers if answer.strip())


def with_answer(run: Run, dataset: Dataset, split: str) -> np.ndarray:
    """Which rows of a run have a passage that contains an answer of their query."""
    answers = [[words(text) for text in texts] for texts in dataset.column(f"queries.{split}", "answers").to_pylist()]
    if not any(answers):
        raise UserError(f"{dataset.manifest.parent}: no query of {split} has any answers to look for")
    found, order, first = np.zeros(len(run.query), bool), np.argsort(run.passage, kind="stable"), 0
    for batch in dataset.batches("corpus", ["text"]):
        within = order[slice(*np.searchsorted(run.passage[order], [first, first + batch.num_rows]))]
        rows, place = np.unique(run.passage[within] - first, return_inverse=True)
        texts = [words(text) for text in batch["text"].take(pa.array(rows)).to_pylist()]
        pairs = zip(run.query[within].tolist(), place.tolist(), strict=True)
        found[within] = [contains(texts[at], answers[query]) for query, at in pairs]
        first += batch.num_rows
    return found
