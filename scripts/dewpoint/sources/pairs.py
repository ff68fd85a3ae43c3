"""`pairs`: one's own files of pairs of texts, by the hundred million: a query, and the passage that belongs to it."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import reading, tiny
from dewpoint.errors import UserError
from dewpoint.study.bases import Resources, Source
from dewpoint.study.kind import Strict
from dewpoint.study.types import Name

if TYPE_CHECKING:
    import pyarrow as pa

    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
QUERY, PASSAGE, TITLE = "query", "passage", "title"


class PairFiles(Strict):
    """Pairs of a split, one a row."""

    files: list[str] = Field(min_length=1, description="paths, or patterns such as paq/*.jsonl.zst")
    columns: dict[Literal["query", "passage", "title"], str] = Field({}, description="our name: the files' name")


class TextPairs(Source):
    """Pairs of texts: .csv, .tsv, .jsonl (each plain, .gz or .zst) or .parquet; all second texts are the passages."""

    resources: ClassVar[Resources] = Resources(mem_mb=4000, runtime=720)

    source: Literal["pairs"]
    pairs: dict[Name, PairFiles] = Field(min_length=1, description="files for each split, with a pair a row")

    @property
    def judged(self) -> list[str]:
        return list(self.pairs)

    def files(self) -> list[str]:
        every = [file for split in self.pairs.values() for file in split.files]
        return list(map(str, reading.text_files(every, FORMATS)))

    def moved(self, place) -> dict[str, Any]:
        def at(split: PairFiles) -> PairFiles:
            return split.model_copy(update={"files": list(dict.fromkeys(map(place, split.files)))})

        return {"pairs": {name: at(split) for name, split in self.pairs.items()}}


def write(writer: "DatasetWriter", pairs) -> None:
    """The rows with both texts, in order; the numbers of queries and passages are their ids."""
    import pyarrow as pa

    from dewpoint.data.seen import are_seen

    left_out = writer.artifact.facts.setdefault("left_out", {})
    for split, given in vars(pairs).items():
        rows = kept = 0
        for path in reading.text_files(given.files, FORMATS):
            for batch in reading.counted(_batches(path, vars(given.columns)), f"{split} pairs", len):
                both = batch.filter(pa.array(are_seen(batch[QUERY]) & are_seen(batch[PASSAGE])))
                rows, kept = rows + len(batch), kept + len(both)
                if len(both):
                    writer.text_pairs(str(path), split, both[QUERY], both[PASSAGE], both[TITLE].fill_null(""))
        if not kept:
            raise UserError(f"{', '.join(given.files)}: no row with both texts in it")
        left_out[split] = {"empty": rows - kept}
        if kept < rows:
            log.warning("warning: %s: %s of %s pairs lack a text; left out", split, f"{rows - kept:,}", f"{rows:,}")
    writer.end_of_corpus(", ".join(vars(pairs)))


def _batches(path: Path, named: dict[str, str]) -> Iterator["pa.RecordBatch"]:
    """A file's columns by our names; a title that is not named need not be there."""
    import pyarrow as pa

    from dewpoint.data import columns

    names = {name: named.get(name, name) for name in (QUERY, PASSAGE, TITLE)}
    unseen, rows = {QUERY, PASSAGE, *named}, 0
    for batch in columns.batches(path, list(names.values())):
        texts = pa.RecordBatch.from_arrays([batch[column] for column in names.values()], list(names))
        unseen, rows = {name for name in unseen if texts[name].null_count == len(texts)}, rows + len(texts)
        yield texts
    if rows and unseen:
        raise columns.missing(path, names[min(unseen)])


def rehearse(folder: Path, words: tiny.Words, pairs) -> None:
    """Tiny files of the real ones' names, formats and columns, with odd rows; files that splits share hold all rows."""
    content = defaultdict(list)
    for split, given in vars(pairs).items():
        named = vars(given.columns)
        names = [named.get(name, name) for name in (QUERY, PASSAGE, TITLE)]
        for row in range(tiny.TRAIN if split == "train" else tiny.DEV):
            passage = words.passage() + (f" {tiny.ODD[row // 5 % len(tiny.ODD)]}" if row % 5 == 0 else "")
            pair = words.question(passage), passage, words.title() if row % 3 else ""
            file = Path(given.files[row % len(given.files)]).name
            content[file].append(dict(zip(names, pair, strict=True)))
            if row % 24 == 0:
                content[file].append(dict(zip(names, ("", passage, "") if row else (pair[0], "", ""), strict=True)))
    for name, rows in content.items():
        empty = dict.fromkeys((column for row in rows for column in row), "")
        tiny.write_rows(folder / name, [empty | row for row in rows])
