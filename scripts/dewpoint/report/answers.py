"""Answers to a typed question as a terminal shows them: a column for each ranker, the question's words in bold."""

import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from dewpoint.search.analyser import WORDS, Analyser

NARROWEST, GAP = 38, 3  # characters of a column, and between two
SNIPPET, INDENT = 3, 3  # lines of a passage, characters before them
BOLD, PLAIN = "\x1b[1m", "\x1b[22m"
ANALYSER, WORD = Analyser("standard", "english", "porter"), WORDS["standard"]


class Found(NamedTuple):
    score: float
    id: str
    title: str
    text: str


def terms_of(text: str) -> set[str]:
    """What its words count as, whatever their endings."""
    return {term for word in WORD.findall(text) if (term := ANALYSER.term(word.lower()))}


def side_by_side(columns: list[tuple[str, list[Found]]], width: int, question: str, bold: bool) -> str:
    """As many columns beside each other as there is room for, the others beneath; (heading, passages, best first)."""
    count = min(len(columns), max(1, (width + GAP) // (NARROWEST + GAP)))
    each, terms, shown = (width + GAP) // count - GAP, terms_of(question), []
    for first in range(0, len(columns), count):
        blocks = [list(block(*column, each, terms, bold)) for column in columns[first : first + count]]
        rows = zip_longest(*blocks, fillvalue=" " * each)
        shown += [(" " * GAP).join(cells).rstrip() for cells in rows]
    return "\n".join(shown)


def block(heading: str, passages: list[Found], width: int, terms: set[str], bold: bool) -> Iterator[str]:
    """The lines of one ranker, all as wide."""
    for line in (*textwrap.wrap(heading, width), "─" * width):
        yield line.ljust(width)
    for rank, found in enumerate(passages, 1):
        head = textwrap.wrap(f"{rank}  {found.score:.2f}  {found.title or found.id}", width)[0]
        text = textwrap.wrap(
            snippet(found.text, terms, SNIPPET * (width - INDENT)),
            width,
            initial_indent=" " * INDENT,
            subsequent_indent=" " * INDENT,
            max_lines=SNIPPET,
            placeholder=" …",
        )
        for line in (head, *([" " * INDENT + found.id] if found.title else []), *text, ""):
            cell = line[:width].ljust(width)
            yield marked(cell, terms) if bold else cell
    if not passages:
        yield "nothing found".ljust(width)


def snippet(text: str, terms: set[str], letters: int) -> str:
    """The part of a text that has most of the terms; the earliest of several."""
    words = text.split()
    of_word = [terms_of(word) & terms for word in words]
    best, most, first, length = 0, 0, 0, 2  # of the dots before it
    for last, word in enumerate(words):
        length += len(word) + 1
        while length > letters and first < last:
            length -= len(words[first]) + 1
            first += 1
        if (known := len(set().union(*of_word[first : last + 1]))) > most:
            best, most = first, known
    return ("… " if best else "") + " ".join(words[best:])


def marked(line: str, terms: set[str]) -> str:
    """With those of its words in bold that count as one of the terms."""
    return WORD.sub(lambda word: f"{BOLD}{word[0]}{PLAIN}" if terms_of(word[0]) & terms else word[0], line)
