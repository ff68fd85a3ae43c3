"""What rehearsals' tiny files are made of: their sizes, and words that look like text."""

import gzip
import io
import random
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PASSAGES = 400
TRAIN, DEV, TEST = 96, 32, 24  # queries of a split
LISTED = 6  # passages of a query's list
ARTICLE = 4  # passages of one article or document
PASSAGE_WORDS = 40

VOCABULARY = """
    river valley empire battle museum theory planet engine bridge castle harbour island mountain forest desert village
    cathedral parliament treaty emperor composer painter physicist novelist architect sailor merchant bishop general
    symphony portrait telescope railway aqueduct lighthouse volcano glacier comet molecule enzyme membrane lattice
    ancient northern southern eastern western famous early late great small wooden marble iron golden royal civil
    built founded discovered painted wrote conquered ruled signed measured named crossed explored destroyed restored
    near under across between before after during against toward within century decade summer winter spring autumn
    1066 1492 1789 1815 1905 1969 first second third hundred thousand million percent degrees miles metres
    Vienna Lisbon Cairo Kyoto Lima Oslo Prague Dublin Naples Quito Darwin Kepler Curie Euler Gauss Noether Ramanujan
""".split()  # noqa: SIM905  no one reads a hundred quoted words
LINKS = ("the", "of", "and", "in", "a", "to", "was", "by", "with", "for", "on", "from")
ASKED = ("who", "what", "when", "where", "which", "how many")

QUOTED = 'It is called "the Great" by some, "" by none.'
SPACED = "a tab\tand  two spaces"  # where the format can hold a tab
FOREIGN = "Zürich, São Paulo, Ελλάδος, Москва, 東京, قاهرة, e\u0301tude, 50\u00a0%, \U0001d11e"
ODD = (QUOTED, FOREIGN, "apostrophes' and \\backslashes\\", "<b>tags</b> &amp; entities", "- 5,000.5 (U.S.)")


class Words:
    """Text as a seed draws it, always the same for the same seed and calls."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def passage(self, count: int = PASSAGE_WORDS) -> str:
        """Two sentences, `count` words together, every third a link."""
        drawn = [self.random.choice(VOCABULARY if place % 3 else LINKS) for place in range(count)]
        halves = [half for half in (drawn[: count // 2], drawn[count // 2 :]) if half]
        return " ".join(f"{half[0].capitalize()} {' '.join(half[1:])}".strip() + "." for half in halves)

    def title(self) -> str:
        return " ".join(self.random.sample(VOCABULARY, 2)).title()

    def question(self, passage: str) -> str:
        """A question with five words of the passage, in their order."""
        words = passage.split()
        places = sorted(self.random.sample(range(len(words)), min(5, len(words))))
        return f"{self.random.choice(ASKED)} {' '.join(words[place].strip('.').lower() for place in places)}?"

    def answer(self, passage: str) -> str:
        """One to three words of the passage in a row."""
        words = passage.split()
        first = self.random.randrange(len(words))
        return " ".join(words[first : first + self.random.randint(1, 3)]).strip(".")


# --- MS MARCO -----------------------------------------------------------------------------------

BODY_WORDS = 3 * PASSAGE_WORDS  # of a document
GRADES = 4
MARCO_SPLITS = {"train": TRAIN, "dev": DEV, "dl2019": TEST, "dl2020": TEST}
UNJUDGED = 8  # queries of each split that have no judgements


@dataclass
class Split:
    queries: list[tuple[str, str]]  # id, text
    judged: dict[str, list[tuple[str, int]]]  # of each judged query: passage, grade

    def judgements(self, second: str) -> list[tuple[str, str, str, str]]:
        """TREC's lines; `second` is what no one reads. The first comes twice."""
        rows = [(query, second, id, str(grade)) for query, pairs in self.judged.items() for id, grade in pairs]
        return [*rows, rows[0]]


def marco_splits(words: Words, texts: dict[str, str]) -> dict[str, Split]:
    """Questions about the texts. Every eighth of train and dev has a second passage; those of TREC have all grades."""
    splits, ids = {}, list(texts)
    numbers = iter(words.random.sample(range(1_000_000), sum(MARCO_SPLITS.values()) + UNJUDGED * len(MARCO_SPLITS)))
    for split, count in MARCO_SPLITS.items():
        judged, queries = {}, []
        for number in range(count):
            query, passages = str(next(numbers)), words.random.sample(ids, GRADES)
            queries.append((query, words.question(texts[passages[0]] or FOREIGN)))
            graded = list(zip(passages, range(GRADES - 1, -1, -1), strict=True))
            judged[query] = graded if split.startswith("dl") else [(id, 1) for id in passages[: 1 + (number % 8 == 0)]]
        queries += [(str(next(numbers)), odd) for odd in (ODD * 2)[:UNJUDGED]]
        words.random.shuffle(queries)
        splits[split] = Split(queries, judged)
    return splits


def msmarco_passage_expected(**_) -> dict[str, int | dict[str, int]]:
    judgements = {
        split: count * GRADES if split.startswith("dl") else count + -(-count // 8)
        for split, count in MARCO_SPLITS.items()
    }
    return {"passages": PASSAGES, "queries": MARCO_SPLITS, "judgements": judgements}


def msmarco_document_expected(
    passages: str = "first", words: int = 400, stride: int | None = None, **_
) -> dict[str, int | dict[str, int]]:
    """The first document is empty, which is a passage, too."""
    stride = stride or words
    windows = min(1 + max(0, -((words - BODY_WORDS) // stride)), -(-BODY_WORDS // stride)) if passages == "all" else 1
    return msmarco_passage_expected() | {"passages": 1 + (PASSAGES - 1) * windows}


# --- files --------------------------------------------------------------------------------------


def lines(rows: Iterable[str], end: str = "\n") -> str:
    return "".join(f"{row}{end}" for row in rows)


def tab_lines(rows: Iterable[Iterable[str]], end: str = "\n") -> str:
    return lines(map("\t".join, rows), end)


def write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def write_gz(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def write_tar(path: Path, members: dict[str, str]) -> None:
    """A .tar.gz, the same whenever it is written."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
