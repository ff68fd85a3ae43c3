"""What the tiny files of both MS MARCO collections have in common: queries, judgements, how they are packed."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dewpoint.data.tiny import (
    DEV,
    FOREIGN,
    ODD,
    PASSAGE_WORDS,
    PASSAGES,
    TEST,
    TRAIN,
    Words,
)

BODY_WORDS = 3 * PASSAGE_WORDS  # of a document
GRADES = 4
SPLITS = {"train": TRAIN, "dev": DEV, "dl2019": TEST, "dl2020": TEST}
UNJUDGED = 8  # queries of each split that have no judgements


@dataclass
class Split:
    queries: list[tuple[str, str]]  # id, text
    judged: dict[str, list[tuple[str, int]]]  # of each judged query: passage, grade

    def judgements(self, second: str) -> list[tuple[str, str, str, str]]:
        """TREC's lines; `second` is what no one reads. The first comes twice."""
        rows = [(query, second, id, str(grade)) for query, pairs in self.judged.items() for id, grade in pairs]
        return [*rows, rows[0]]


def splits(words: Words, texts: dict[str, str]) -> dict[str, Split]:
    """Questions about the texts. Every eighth of train and dev has a second passage; those of TREC have all grades."""
    made, ids = {}, list(texts)
    numbers = iter(words.random.sample(range(1_000_000), sum(SPLITS.values()) + UNJUDGED * len(SPLITS)))
    for split, count in SPLITS.items():
        judged, queries = {}, []
        for number in range(count):
            query, passages = str(next(numbers)), words.random.sample(ids, GRADES)
            queries.append((query, words.question(texts[passages[0]] or FOREIGN)))
            graded = list(zip(passages, range(GRADES - 1, -1, -1), strict=True))
            judged[query] = graded if split.startswith("dl") else [(id, 1) for id in passages[: 1 + (number % 8 == 0)]]
        queries += [(str(next(numbers)), odd) for odd in (ODD * 2)[:UNJUDGED]]
        words.random.shuffle(queries)
        made[split] = Split(queries, judged)
    return made


def tiny_expected(
    passages: str = "first", words: int = 400, stride: int | None = None
) -> dict[str, int | dict[str, int]]:
    """What preparing the tiny files must find; the first document is empty, which is a passage, too."""
    judgements = {
        split: count * GRADES if split.startswith("dl") else count + -(-count // 8) for split, count in SPLITS.items()
    }
    windows, stride = 1, stride or words
    if passages == "all":
        windows = min(1 + max(0, -((words - BODY_WORDS) // stride)), -(-BODY_WORDS // stride))
    return {"passages": 1 + (PASSAGES - 1) * windows, "queries": SPLITS, "judgements": judgements}


# --- files --------------------------------------------------------------------------------------


def lines(rows: Iterable[str], end: str = "\n") -> str:
    return "".join(f"{row}{end}" for row in rows)


def tab_lines(rows: Iterable[Iterable[str]], end: str = "\n") -> str:
    return lines(map("\t".join, rows), end)


def write_tar(path: Path, members: dict[str, str]) -> None:
    """A .tar.gz, the same whenever it is written."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
