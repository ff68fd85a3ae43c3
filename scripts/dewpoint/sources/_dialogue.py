"""What sources of dialogues share: contexts are queries, each distinct response is a passage, candidates are a list.

Texts are as ParlAI has them, from where the files are, too: its build scripts have the SHA-256 of each, its tests how
many examples there are.
"""

import logging
from array import array
from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from dewpoint.data import tiny
from dewpoint.data.catalogue import Download
from dewpoint.study.bases import Source

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

PARLAI = "https://parl.ai/downloads/"
CANDIDATES = "candidates"  # the list
SIZES = {"train": tiny.TRAIN, "dev": tiny.DEV, "test": tiny.TEST}  # tiny splits


class Dialogue(Source):
    """Contexts, each with the response that followed, in one archive."""

    average_words: ClassVar[float] = 15
    archive: ClassVar[tuple[str, Download]]
    paper: ClassVar[str]  # what papers call it
    splits: ClassVar[tuple[str, ...]] = ("train", "dev", "test")
    unlisted: ClassVar[tuple[str, ...]] = ()  # splits without candidates

    @property
    def judged(self) -> list[str]:
        return [*self.splits]

    @property
    def lists(self) -> dict[str, list[str]]:
        return {CANDIDATES: [split for split in self.splits if split not in self.unlisted]}

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        return self.paper, split

    def downloads(self) -> dict[str, Download]:
        return dict([self.archive])

    def expected_small(self) -> dict[str, int | dict[str, int]]:
        return {"queries": {split: SIZES[split] for split in self.splits}}


class Exchanges:
    """Writes contexts with their responses; a response that was there before is the same passage."""

    def __init__(self, writer: "DatasetWriter"):
        self.writer = writer
        self.rows: dict[bytes, int] = {}  # a digest of each response's text → its passage
        self.right: dict[str, array] = {}  # the passage that is right, of each context of a split
        self.repeated: dict[str, int] = defaultdict(int)  # candidates that their list had before
        self.added: dict[str, int] = defaultdict(int)  # lists that lacked the right response

    def add(self, place: str, split: str, turns: list[str], response: str, candidates: list[str] | None = None) -> None:
        """Candidates come first, so that where a model tells nothing apart the right one is not the first."""
        right = self.right.setdefault(split, array("i"))
        query, listed = str(len(right)), [self._passage(place, text) for text in candidates or ()]
        right.append(self._passage(place, response))
        self.writer.query(place, split, query, "\n".join(turns))
        if candidates is None:
            return
        if right[-1] not in listed:
            listed.append(right[-1])
            self.added[split] += 1
        self.repeated[split] += len(listed) - len(set(listed))
        self.writer.listed(place, CANDIDATES, split, query, map(str, listed))

    def finish(self, archive: Path) -> None:
        """All files have been read."""
        import numpy as np

        self.writer.end_of_corpus(str(archive))
        for split, rows in self.right.items():
            self.writer.paired(str(archive), split, np.array(rows, np.int32))
        counts = {"repeated_candidates": self.repeated, "added_responses": self.added}
        self.writer.artifact.facts |= {name: dict(of) for name, of in counts.items() if any(of.values())}
        for split in self.right:
            if self.repeated[split] or self.added[split]:
                repeated, added = f"{self.repeated[split]:,}", f"{self.added[split]:,}"
                log.info(
                    "%s: %s candidates twice in a list count once; %s lists lacked the response", split, repeated, added
                )

    def _passage(self, place: str, text: str) -> int:
        row = self.rows.setdefault(blake2b(text.encode(), digest_size=16).digest(), len(self.rows))
        if row == self.writer.count:
            self.writer.passage(place, str(row), text)
        return row


# --- rehearsal ----------------------------------------------------------------------------------


def tiny_exchanges(words: tiny.Words, split: str, others: int) -> Iterator[tuple[list[str], str, list[str]]]:
    """(turns, response, so many others) of a tiny split; the last turn asks for the response, odd ones among them."""
    texts = [words.passage(12) for _ in range(tiny.PASSAGES)] + [text for text in tiny.ODD if "|" not in text]
    for row in range(SIZES[split]):
        right, *wrong = words.random.sample(texts, 1 + others)
        turns = [words.passage(8) for _ in range(2 * (row % 3))]
        yield [*turns, words.question(right)], right, wrong
