"""`sts`: STS-Benchmark (Cer et al., 2017), pairs of sentences with a score from 0 to 5.

A line is genre, file, year, id, score, sentence1, sentence2, with tabs between and quotes as they are; some lines go on
with where the sentences are from.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import member
from dewpoint.data import tiny, tiny_marco
from dewpoint.data.catalogue import Download
from dewpoint.data.reading import float32, lines_of, members
from dewpoint.errors import UserError
from dewpoint.evaluation.registry import SCORES
from dewpoint.sources._examples import Example, Examples, within, written

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

ARCHIVE = "Stsbenchmark.tar.gz"
DOWNLOAD = Download(
    f"https://ixa2.si.ehu.eus/stswiki/images/4/48/{ARCHIVE}",
    licence="scores under CC BY-SA 4.0; each text under its own terms, which the archive's LICENSE.txt has",
)
FILES = {f"sts-{split}.csv": split for split in ("train", "dev", "test")}
EXPECTED = {"train": 5_749, "dev": 1_500, "test": 1_379}
SCALE = (0, 5)
FIELDS = "genre, file, year, id, score, sentence1, sentence2"
SCORE, TEXTS = 4, slice(5, 7)


class Sts(Examples):
    """STS-Benchmark, pairs of sentences with a score from 0 to 5; splits train, dev and test."""

    cites: ClassVar[tuple[str, ...]] = ("cer2017sts",)

    source: Literal["sts"]
    path: str | None = Field(None, description="a folder with sts-train.csv and the others; left out: it is fetched")

    @property
    def examples(self) -> dict[str, str]:
        return dict.fromkeys(EXPECTED, SCORES)

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        return "stsb", split

    def downloads(self) -> dict[str, Download]:
        return {} if self.path else {ARCHIVE: DOWNLOAD}

    @classmethod
    def fetched(cls) -> bool:
        """It may lie in a folder, too, so `write` looks for itself."""
        return False

    def files(self) -> list[str]:
        return [str(Path(self.path, name)) for name in FILES]

    def moved(self, place) -> dict[str, Any]:
        return {"path": self.path and place("")}

    def expected(self) -> dict[str, int | dict[str, int]]:
        return {"examples": EXPECTED}

    def expected_small(self) -> dict[str, int | dict[str, int]]:
        return {"examples": {"train": tiny.TRAIN, "dev": tiny.DEV, "test": tiny.TEST}}


def write(writer: "DatasetWriter", path: str | None = None) -> None:
    """All splits, in the order in which they lie there."""
    writer.artifact.facts["scale"] = SCALE
    for name, file, place in opened(path) if path else packed(writer):
        written(writer, FILES[name], pairs(lines_of(file, place)), str(place))


def opened(folder: str) -> Iterator[tuple[str, BinaryIO, Path]]:
    """(name, file, where it is) of each file in a folder."""
    for name in FILES:
        with (place := Path(folder, name)).open("rb") as file:
            yield name, file, place


def packed(writer: "DatasetWriter") -> Iterator[tuple[str, BinaryIO, Path]]:
    """The same of the archive that was fetched, which is all that the dataset is made from."""
    (manifest,) = writer.artifact.inputs
    archive = member(Path(manifest), ARCHIVE)
    for name, file in members(archive, FILES):
        yield name, file, archive / name


def pairs(rows: Iterable[tuple[str, str]]) -> Iterator[Example]:
    for place, line in rows:
        fields = line.split("\t")
        if len(fields) < TEXTS.stop:
            raise UserError(f"{place}: {len(fields)} fields, expected {FIELDS} with tabs")
        yield place, tuple(fields[TEXTS]), within(float32(fields[SCORE], "score", place), *SCALE, place)


# --- rehearsal ----------------------------------------------------------------------------------


def rehearse(folder: Path, words: tiny.Words, path: str | None = None) -> None:
    """The three files, or the archive with them: lines of nine fields, odd texts, scores of whole and other numbers."""
    sizes = {"train": tiny.TRAIN, "dev": tiny.DEV, "test": tiny.TEST}
    made = {name: tiny_marco.lines(tiny_line(words, row) for row in range(sizes[of])) for name, of in FILES.items()}
    if path:
        for name, text in made.items():
            tiny.write_text(folder / name, text)
    else:
        about = {"stsbenchmark/readme.txt": "STS Benchmark\n"}
        tiny_marco.write_tar(folder / ARCHIVE, about | {f"stsbenchmark/{name}": text for name, text in made.items()})


def tiny_line(words: tiny.Words, row: int) -> str:
    """Sentences of ten words, of which the second shares more with the first the higher their score is."""
    shared = row % 6
    first, other = (words.passage(10).split() for _ in range(2))
    sentences = " ".join(first), " ".join([*first[: 2 * shared], *other[2 * shared :]])
    odd = tiny.ODD[row // 7 % len(tiny.ODD)] if row % 7 == 0 else ""
    score = f"{shared:.3f}" if row % 2 else str(shared)
    fields = ["main-news", "headlines", "2013", f"{row:04}", score, f"{sentences[0]} {odd}".strip(), sentences[1]]
    return "\t".join([*fields, *(["where the first is from", "and the second"] if row % 5 == 0 else [])])
