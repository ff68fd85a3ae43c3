"""What rehearsals' tiny files are made of: their sizes, and words that look like text."""

import csv
import gzip
import io
import json
import random
from pathlib import Path

PASSAGES = 400
TRAIN, DEV, TEST = 96, 32, 24  # queries of a split
LISTED = 6  # passages of a query's list
ARTICLE = 4  # passages of one article or document
SHARD = 4  # articles of one of Wikipedia's files
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

    def asked(self, texts: list[str]) -> tuple[str, str, list[int]]:
        """A question, its answer, and rows of `texts`: first of the one that answers it, then of LISTED others."""
        rows = self.random.sample(range(len(texts)), 1 + LISTED)
        return self.question(texts[rows[0]]), self.answer(texts[rows[0]]), rows

    def corpus(self) -> list[tuple[str, str]]:
        """(title, text) of PASSAGES passages, ARTICLE of a title; an odd text is in every twelfth."""
        titles = [self.title() for _ in range(PASSAGES // ARTICLE)]
        odd = {12 * number: text for number, text in enumerate(ODD)}
        return [(titles[row // ARTICLE], f"{self.passage()} {odd.get(row, '')}".strip()) for row in range(PASSAGES)]


def write_text(path: Path, text: str) -> None:
    """As UTF-8, compressed as the name says."""
    import pyarrow as pa

    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    elif path.suffix == ".zst":
        data = pa.compress(data, "zstd", asbytes=True)
    path.write_bytes(data)


def write_parquet(path: Path, rows: list[dict]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_rows(path: Path, rows: list[dict]) -> None:
    """A table in the format that its name says; where that has no lists, the first of each."""
    suffix = (path.with_suffix("") if path.suffix in (".gz", ".zst") else path).suffix
    if suffix == ".parquet":
        write_parquet(path, rows)
    elif suffix in (".jsonl", ".json"):
        write_text(path, json_text(rows))
    else:
        flat = [[value[0] if isinstance(value, list) else str(value) for value in row.values()] for row in rows]
        table = [list(rows[0]), *flat]
        verbatim = "".join("\t".join(fields) + "\n" for fields in table)
        write_text(path, separated(table, ",") if suffix == ".csv" else verbatim)


def json_text(rows: list[dict]) -> str:
    """JSON lines, characters beyond ASCII escaped in every other one."""
    return "".join(f"{json.dumps(row, ensure_ascii=number % 2 == 0)}\n" for number, row in enumerate(rows))


def separated(rows: list[list[str]], delimiter: str = "\t") -> str:
    """Fields separated and, where need be, quoted."""
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()
