"""`reduced`: of another dataset the passages alone that a split's positives and lists name, with its queries."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from dewpoint.errors import UserError
from dewpoint.sources._joined import BATCH, nested
from dewpoint.study.bases import Source
from dewpoint.study.kind import Names
from dewpoint.study.types import Name, Once
from dewpoint.study.written import nearest

LISTED = 150  # passages that a query's list has, about

if TYPE_CHECKING:
    import numpy as np

    from dewpoint.data.dataset import Dataset, DatasetWriter


class Reduced(Source):
    """Of another dataset the passages alone that a split's positives and lists name; ids are kept.

    Queries are those of the split that have a positive, and these positives are what is judged.
    """

    source: Literal["reduced"]
    data: Annotated[Name, Names("datasets")] = Field(description="the dataset")
    split: Name = Field("dev", description="whose queries, positives and lists")
    positives: Literal["all", "first"] = Field(
        "all", description="of a query, that are in it and are judged: all, or the first; another may be in a list"
    )
    of_lists: Annotated[list[Name], Once] = Field(
        [], description="lists that came with the dataset, such as hard, whose passages are in it, too"
    )

    @property
    def judged(self) -> list[str]:
        return [self.split]

    @property
    def answered(self) -> list[str]:
        return [self.split]

    def joined(self, known: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
        """A part of the other dataset's passages, the queries of one of its splits."""
        queries = parts[0]["queries"].get(self.split, 0)
        passages = min(parts[0]["passages"], queries * (1 + LISTED * len(self.of_lists)))
        return known | {"passages": passages, "queries": {self.split: queries}}

    def check(self, study) -> Iterator[tuple[str, str]]:
        if wrong := nested(study, self.data):
            yield "data", wrong
        elif wrong := study.lacks_split(self.data, self.split):
            yield "split", wrong
        else:
            known = [name for name, splits in study.datasets[self.data].lists.items() if self.split in splits]
            for name in self.of_lists:
                if name not in known:
                    yield "of_lists", f"{self.split} of '{self.data}' has no list '{name}'{nearest(name, known)}"


def write(
    writer: "DatasetWriter", data: str, split: str, positives: str, of_lists: list[str], files: list[Path]
) -> None:
    """Passages in the order of the dataset, then queries and judgements."""
    from dewpoint.data.dataset import Dataset

    (of,) = map(Dataset, files)
    if of.judges_documents:
        raise UserError(f"{of.manifest}: judges whole documents, whose passages cannot be taken out one by one")
    judged = kept(of, split, positives)
    rows = passages(of, split, judged, of_lists)
    columns = ["id", "text", "title", "document"]
    first, place = 0, f"{of.manifest}: {split} of {data}"
    for batch in of.batches("corpus", columns, BATCH):
        within = rows[(rows >= first) & (rows < first + len(batch))] - first
        first += len(batch)
        some = batch.take(within)
        for id, text, title, document in zip(*(some[name].to_pylist() for name in columns), strict=True):
            writer.paragraph(id, text, title, document)
    writer.end_of_corpus(place)
    _write_queries(writer, of, split, place, rows, judged)
    writer.relevant[split] = of.relevant(split)


def _write_queries(
    writer: "DatasetWriter", of: "Dataset", split: str, place: str, rows: "np.ndarray", judged: tuple["np.ndarray", ...]
) -> None:
    import numpy as np

    query, passage, grade = judged
    asked, number = np.unique(query, return_inverse=True)
    first = 0
    for batch in of.batches(f"queries.{split}", ["id", "text", "answers"], BATCH):
        within = asked[(asked >= first) & (asked < first + len(batch))] - first
        first += len(batch)
        for row in batch.take(within).to_pylist():
            writer.query(place, split, row["id"], row["text"], tuple(row["answers"]))
    writer.pairs(place, split, number, np.searchsorted(rows, passage), grade)
    writer.artifact.facts["queries_without_positive"] = of.rows(f"queries.{split}") - len(asked)


def kept(of: "Dataset", split: str, positives: str) -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """(query rows, passage rows, grades) of the judgements that say relevant, or of each query's first such one."""
    import numpy as np

    judged = of.judgements(split)
    judged = tuple(column[judged[2] >= of.relevant(split)] for column in judged)
    order = np.argsort(judged[0], kind="stable")
    if positives == "first":
        order = order[np.unique(judged[0][order], return_index=True)[1]]
    return tuple(column[order] for column in judged)


def passages(of: "Dataset", split: str, judged: tuple["np.ndarray", ...], lists: list[str]) -> "np.ndarray":
    """The rows of passages that are in it, in order: what is judged, and what lists have for the queries judged."""
    import numpy as np

    found = [judged[1]]
    for name in lists:
        query, passage = of.listed(name, split)
        found.append(passage[np.isin(query, judged[0])])
    return np.unique(np.concatenate(found))
