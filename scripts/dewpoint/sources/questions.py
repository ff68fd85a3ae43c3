"""`questions`: the queries of a dataset's split as passages, for those of another to be searched among them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dewpoint.sources._joined import nested, rows
from dewpoint.study.bases import Source
from dewpoint.study.kind import Names
from dewpoint.study.types import Name

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter


class Questions(Source):
    """The queries of a split as passages, one each; queries are those of another dataset, all splits. None is judged.

    So any ranker finds the questions that are nearest to another.
    """

    average_words: ClassVar[float] = 9

    source: Literal["questions"]
    data: Annotated[Name, Names("datasets")] = Field(description="the dataset whose queries are the passages")
    split: Name = Field("train", description="of these queries")
    queries: Annotated[Name, Names("datasets")] = Field(description="the dataset whose queries are searched for")

    @property
    def judged(self) -> list[str]:
        return []

    @property
    def answered(self) -> None:
        """The splits are those of `queries`."""
        return None

    def check(self, study) -> Iterator[tuple[str, str]]:
        for key, name in (("data", self.data), ("queries", self.queries)):
            if message := nested(study, name):
                yield key, message
        wrong = [study.lacks_split(self.data, self.split, [metric]) for metric in ("MRR@1", "Hit@1")]
        if all(wrong):
            yield "split", wrong[0]


def write(writer: "DatasetWriter", data: str, split: str, queries: str, files: list[Path]) -> None:
    """Ids, too, are those of the queries."""
    from dewpoint.data.dataset import Dataset

    of, asking = map(Dataset, files)
    for id, text in rows(of, f"queries.{split}", ["id", "text"]):
        writer.paragraph(id, text, "", id)
    writer.end_of_corpus(f"{of.manifest}: {split} of {data}")
    for name in asking.splits:
        for id, text, answers in rows(asking, f"queries.{name}", ["id", "text", "answers"]):
            writer.query(f"{asking.manifest}: {name} of {queries}", name, id, text, tuple(answers))
