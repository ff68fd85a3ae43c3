"""Does a passage contain an answer? DPR's rule: the answer's words in a row, whatever their case.

Words are runs of letters, digits and marks, or any other single character that is seen, after NFD normalisation.
"""

import unicodedata
from collections.abc import Iterable

import regex

WORD = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]", regex.IGNORECASE | regex.UNICODE | regex.MULTILINE)


def words(text: str) -> str:
    """The words of a text with a space before, between and after: one text's words are in another's as a substring."""
    return f" {' '.join(WORD.findall(unicodedata.normalize('NFD', text)))} ".lower()


def contains(text: str, answers: Iterable[str]) -> bool:
    """`text` and `answers` are what `words` made of them."""
    return any(answer in text for answer in answers if answer.strip())
