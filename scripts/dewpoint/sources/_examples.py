"""What sources of examples share: their splits of one's own files, and rows of texts handed to the writer."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from dewpoint.data import reading, tiny
from dewpoint.errors import UserError
from dewpoint.study.bases import Source
from dewpoint.study.kind import Strict

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
TRIPLET = ("anchor", "positive", "negative")
Example = tuple[str, tuple[str, ...], float | None]  # its place, texts and score


class ExampleFiles(Strict):
    """Examples of a split, one a row."""

    files: list[str] = Field(min_length=1, description="paths, or patterns such as triplets/*.tsv")


class Examples(Source):
    """A dataset of examples; nothing of it is searched."""

    has_passages: ClassVar[bool] = False
    average_words: ClassVar[float] = 20

    @model_validator(mode="after")
    def no_grades(self):
        if self.relevant is not None:
            raise ValueError("relevant is of judged passages, and examples have none")
        return self


class OwnExamples(Examples):
    """One's own files, a row an example."""

    kind: ClassVar[str]  # of examples
    held_by: ClassVar[str]  # the field that names the files, by split

    @property
    def by_split(self) -> dict[str, ExampleFiles]:
        return getattr(self, self.held_by)

    @property
    def examples(self) -> dict[str, str]:
        return dict.fromkeys(self.by_split, self.kind)

    def files(self) -> list[str]:
        every = [file for split in self.by_split.values() for file in split.files]
        return list(map(str, reading.text_files(every, FORMATS)))

    def moved(self, place: Callable[[str], str]) -> dict[str, Any]:
        def at(split: ExampleFiles) -> ExampleFiles:
            return split.model_copy(update={"files": list(dict.fromkeys(map(place, split.files)))})

        return {self.held_by: {name: at(split) for name, split in self.by_split.items()}}


def written(writer: "DatasetWriter", split: str, examples: Iterable[Example], of: str) -> None:
    """A split's examples; those that lack a text are left out and counted. `of` is where they are from."""
    from dewpoint.data.seen import is_blank

    rows = kept = 0
    for place, texts, score in reading.counted(examples, f"{split} examples"):
        rows += 1
        if not any(map(is_blank, texts)):
            writer.example(place, split, texts, score)
            kept += 1
    if not kept:
        raise UserError(f"{of}: no example with all of its texts in it")
    writer.artifact.facts.setdefault("left_out", {})[split] = {"empty": rows - kept}
    if kept < rows:
        log.warning("warning: %s: %s of %s examples lack a text; left out", split, f"{rows - kept:,}", f"{rows:,}")


def rows_of(files: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of files, or patterns of such, one after the other."""
    for path in reading.text_files(files, FORMATS):
        yield from reading.records(path)


def triplets_of(path: Path, names: Iterable[str]) -> Iterator[Example]:
    """The triplets of a file, whose columns are called so."""
    from dewpoint.data import columns

    names, row, missing = list(names), 0, set(names)
    for batch in columns.batches(path, names):
        missing = {name for name in missing if batch[name].null_count == len(batch)}
        for texts in zip(*(batch[name].to_pylist() for name in names), strict=True):
            row += 1
            yield f"{path}: row {row}", tuple(text or "" for text in texts), None
    if row and missing:
        raise columns.missing(path, min(missing))


def number(row: dict[str, Any], column: str, place: str) -> float:
    """A column's number; text formats write it, others have it."""
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        value = reading.text(row, column, place)  # says what there is in its place
    return reading.float32(str(value), column, place)


def within(score: float, low: float, high: float, place: str) -> float:
    """A score that is where scores are said to go."""
    if not low <= score <= high:
        raise UserError(f"{place}: score {score:g} is not from {low:g} to {high:g}")
    return score


def tiny_rows(folder: Path, words: tiny.Words, by_split: dict[str, Any], row_of: Callable[..., dict]) -> None:
    """Tiny files of the real ones' names and formats; splits that share one share its rows.

    `row_of(row, named)` makes a row, `named` is what the files call our columns.
    """
    content = defaultdict(list)
    for split, given in by_split.items():
        for row in range(tiny.TRAIN if split == "train" else tiny.DEV):
            file = Path(given.files[row % len(given.files)]).name
            content[file].append(row_of(row, vars(given.columns)))
    for name, rows in content.items():
        empty = dict.fromkeys((column for row in rows for column in row), "")
        tiny.write_rows(folder / name, [empty | row for row in rows])


def tiny_triplet(words: tiny.Words, row: int) -> tuple[str, str, str]:
    """Sentences of which the second shares words with the first; every fifth has an odd text."""
    anchor, other, negative = (words.passage(10).split() for _ in TRIPLET)
    positive = [*anchor[:5], *other[5:]]
    odd = tiny.ODD[row // 5 % len(tiny.ODD)] if row % 5 == 0 else ""
    return " ".join(anchor), f"{' '.join(positive)} {odd}".strip(), " ".join(negative)
