"""Paragraphs cut into windows of words, and which of a page's windows a span of its text touches."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from dewpoint.errors import UserError

WHOLE = 2**31 - 1  # characters: beyond the end of any paragraph


def cut(paragraph: str, words: int) -> Iterator[tuple[int, int]]:
    """(first character, the one after the last) of windows of so many words; the last one has the rest."""
    return (match.span() for match in re.finditer(rf"\S+(?:\s+\S+){{0,{words - 1}}}", paragraph))


@dataclass(frozen=True)
class Span:
    """From a character of a paragraph up to one of the same or a later paragraph."""

    first: int  # paragraph
    last: int
    start: int = 0  # character of the first paragraph
    end: int = WHOLE  # character of the last paragraph, behind the span


class Windows:
    """Where each window lies: 16 bytes for one and 12 for a page, so that tens of millions are held at once.

    Pages come one after the other, each with its windows in order; `close` lets them be found by their ids.
    """

    def __init__(self):
        self.ids, self.firsts = array("q"), array("i")  # of pages: their ids, their first windows
        self.paragraphs, self.starts, self.ends = array("i"), array("i"), array("i")  # of windows
        self.order = self.sorted = None

    def page(self, id: int) -> None:
        self.ids.append(id)
        self.firsts.append(len(self.starts))

    def add(self, paragraph: int, start: int, end: int) -> None:
        self.paragraphs.append(paragraph)
        self.starts.append(start)
        self.ends.append(end)

    def close(self, place: str) -> None:
        import numpy as np

        ids = np.frombuffer(self.ids, np.int64) if self.ids else np.zeros(0, np.int64)
        order = ids.argsort(kind="stable")
        self.sorted, self.order = array("q", ids[order].tobytes()), array("i", order.astype(np.int32).tobytes())
        twice = ids[order][1:][np.diff(ids[order]) == 0]
        if len(twice):
            raise UserError(f"{place}: page '{twice[0]}' comes twice")
        self.firsts.append(len(self.starts))

    def of(self, page: int) -> range | None:
        """The windows of a page, of which there may be none; None if there is no such page."""
        at = bisect_left(self.sorted, page)
        if at == len(self.sorted) or self.sorted[at] != page:
            return None
        number = self.order[at]
        return range(self.firsts[number], self.firsts[number + 1])

    def of_paragraph(self, windows: range, first: int, last: int) -> range:
        """Those of a page's windows that lie in a paragraph from `first` to `last`."""
        begin = bisect_left(self.paragraphs, first, windows.start, windows.stop)
        return range(begin, bisect_right(self.paragraphs, last, begin, windows.stop))

    def touched(self, windows: range, span: Span) -> list[int]:
        """Those of a page's windows that have a character in a span."""
        found = []
        for row in self.of_paragraph(windows, span.first, span.last):
            paragraph, begin, end = self.paragraphs[row], self.starts[row], self.ends[row]
            if paragraph == span.first:
                begin = max(begin, span.start)
            if paragraph == span.last:
                end = min(end, span.end)
            if begin < end:
                found.append(row)
        return found
