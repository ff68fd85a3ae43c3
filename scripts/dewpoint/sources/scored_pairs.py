"""`scored-pairs`: one's own files of pairs of texts, each with a score of how alike they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from dewpoint.data import reading, tiny
from dewpoint.evaluation.registry import SCORES
from dewpoint.sources._examples import Example, ExampleFiles, OwnExamples, number, rows_of, tiny_rows, within, written
from dewpoint.study.types import Name

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

FIRST, SECOND, SCORE = "first", "second", "score"


class ScoredFiles(ExampleFiles):
    """Pairs of a split, one a row."""

    columns: dict[Literal["first", "second", "score"], str] = Field({}, description="our name: the files' name")


class ScoredPairs(OwnExamples):
    """Pairs of texts with a score: .csv, .tsv, .jsonl (each plain, .gz or .zst) or .parquet."""

    kind: ClassVar[str] = SCORES
    held_by: ClassVar[str] = "pairs"

    source: Literal["scored-pairs"]
    pairs: dict[Name, ScoredFiles] = Field(min_length=1, description="files for each split, with a pair a row")
    scale: tuple[float, float] = Field((0, 1), description="from where to where scores go, such as [0, 5]")

    @model_validator(mode="after")
    def a_scale_that_rises(self):
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale goes from {self.scale[0]:g} to {self.scale[1]:g}; the lowest score comes first")
        return self


def write(writer: "DatasetWriter", pairs, scale: list[float]) -> None:
    writer.artifact.facts["scale"] = scale
    for split, given in vars(pairs).items():
        written(writer, split, scored(given.files, vars(given.columns), scale), ", ".join(given.files))


def scored(files: list[str], named: dict[str, str], scale: list[float]) -> Iterator[Example]:
    first, second, score = (named.get(name, name) for name in (FIRST, SECOND, SCORE))
    for place, row in rows_of(files):
        texts = tuple(reading.text(row, column, place) for column in (first, second))
        yield place, texts, within(number(row, score, place), *scale, place)


def rehearse(folder: Path, words: tiny.Words, pairs, scale: list[float]) -> None:
    """Tiny files of the real ones' names, formats and columns, with odd rows."""
    low, high = scale

    def row_of(row: int, named: dict[str, str]) -> dict[str, str | float]:
        sentence, other = words.passage(8), words.passage(8) if row % 4 else tiny.ODD[row // 4 % len(tiny.ODD)]
        values = sentence, "" if row % 24 == 23 else other, low + (high - low) * (row % 5) / 4
        return dict(zip((named.get(name, name) for name in (FIRST, SECOND, SCORE)), values, strict=True))

    tiny_rows(folder, words, vars(pairs), row_of)
