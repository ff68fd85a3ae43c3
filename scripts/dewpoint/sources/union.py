"""`union`: several datasets as one; ids get their dataset's name before them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dewpoint.errors import UserError
from dewpoint.sources._joined import nested, rows
from dewpoint.study.bases import Source
from dewpoint.study.kind import Names
from dewpoint.study.types import Name

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter


class Union(Source):
    """Several datasets as one: all passages; of each split all queries and judgements."""

    source: Literal["union"]
    of: Annotated[list[Name], Names("datasets")] = Field(min_length=2, description="the datasets")

    @property
    def judged(self) -> None:
        """What the parts have, only they know."""
        return None

    @property
    def answered(self) -> None:
        return None

    def check(self, study) -> Iterator[tuple[str, str]]:
        for name in self.of:
            if wrong := nested(study, name):
                yield "of", wrong
        if len(set(self.of)) < len(self.of):
            yield "of", "a dataset is in it once"


def write(writer: "DatasetWriter", of: list[str], files: list[Path]) -> None:
    """Passages of all, then queries and judgements of all."""
    from dewpoint.data.dataset import Dataset

    parts = dict(zip(of, map(Dataset, files), strict=True))
    first = {}  # row of each part's first passage
    for name, data in parts.items():
        if data.judges_documents:
            raise UserError(f"{data.manifest}: judges whole documents, which cannot be joined with others")
        first[name] = writer.count
        for id, title, text, document in rows(data, "corpus", ["id", "title", "text", "document"]):
            writer.paragraph(f"{name}:{id}", text, title, f"{name}:{document}")
    writer.end_of_corpus(" and ".join(map(str, files)))
    for name, data in parts.items():
        for split in data.splits:
            relevant = data.relevant(split)
            if writer.relevant.setdefault(split, relevant) != relevant:
                raise UserError(f"{data.manifest}: {split} counts from grade {relevant:g}, in others from another one")
            start = len(writer.queries.get(split, ()))
            for id, text, answers in rows(data, f"queries.{split}", ["id", "text", "answers"]):
                writer.query(str(data.manifest), split, f"{name}:{id}", text, tuple(answers))
            query, passage, grade = data.judgements(split)
            writer.pairs(str(data.manifest), split, query + start, passage + first[name], grade)
