"""`triplets`: one's own files of triplets of texts, of which the first is nearer to the second than to the third."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny
from dewpoint.evaluation.registry import TRIPLETS
from dewpoint.sources._examples import (
    FORMATS,
    TRIPLET,
    Example,
    ExampleFiles,
    OwnExamples,
    tiny_rows,
    tiny_triplet,
    triplets_of,
    written,
)
from dewpoint.study.types import Name

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter


class TripletFiles(ExampleFiles):
    """Triplets of a split, one a row."""

    columns: dict[Literal["anchor", "positive", "negative"], str] = Field({}, description="our name: the files' name")


class Triplets(OwnExamples):
    """Triplets of texts, anchor, positive and negative: .csv, .tsv, .jsonl (each plain, .gz or .zst) or .parquet."""

    kind: ClassVar[str] = TRIPLETS
    held_by: ClassVar[str] = "triplets"

    source: Literal["triplets"]
    triplets: dict[Name, TripletFiles] = Field(min_length=1, description="files for each split, with a triplet a row")


def write(writer: "DatasetWriter", triplets) -> None:
    for split, given in vars(triplets).items():
        written(writer, split, rows(given.files, vars(given.columns)), ", ".join(given.files))


def rows(files: list[str], named: dict[str, str]) -> Iterator[Example]:
    from dewpoint.data.reading import text_files

    for path in text_files(files, FORMATS):
        yield from triplets_of(path, [named.get(name, name) for name in TRIPLET])


def rehearse(folder: Path, words: tiny.Words, triplets) -> None:
    """Tiny files of the real ones' names, formats and columns, with odd rows."""

    def row_of(row: int, named: dict[str, str]) -> dict[str, str]:
        texts = tiny_triplet(words, row)
        names = (named.get(name, name) for name in TRIPLET)
        return dict(zip(names, texts if row % 24 != 23 else (*texts[:2], ""), strict=True))

    tiny_rows(folder, words, vars(triplets), row_of)
