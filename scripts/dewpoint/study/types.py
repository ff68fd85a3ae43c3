"""What fields of a study are made of: names, numbers, metrics, and the rows of papers."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, StringConstraints

from dewpoint.evaluation import costs
from dewpoint.evaluation.registry import JUDGEMENTS, OF_EXAMPLES, OF_RUNS, PAGES, TIME, pattern
from dewpoint.study.kind import Strict

LARGEST = 2**31 - 1  # rows are numbered so far
REPEATED = re.compile(r"(.+)\1{19}$")  # Snakemake takes such a name for a rule that feeds itself


@dataclass(frozen=True)
class Bounds:
    """Of a number. A field may narrow them: pydantic's own would be widened again by those of the field's type."""

    least: float
    most: float = LARGEST

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> dict[str, Any]:
        schema = handler(source)
        return schema | {
            "ge": max(self.least, schema.get("ge", self.least)),
            "le": min(self.most, schema.get("le", self.most)),
        }


def not_repeating(name: str) -> str:
    if found := REPEATED.search(name):
        raise ValueError(f"ends with '{found[1]}' twenty times; take another name")
    return name


def once(values: list[str]) -> list[str]:
    """A list whose entries are told apart by what they are."""
    if values and (most := Counter(values).most_common(1)[0])[1] > 1:
        raise ValueError(f"'{most[0]}' is there twice; once is enough")
    return values


def folder(path: str) -> str:
    """Where results or data lie: part of every name that Snakemake reads, to which a brace is a wildcard."""
    if not path or not path.isprintable() or re.search(r"^~|[{}]", path):
        raise ValueError("expected a folder, without braces or line ends and not from ~ on")
    return path


# names are parts of files' names, which may have 255 letters
Name = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=80), AfterValidator(not_repeating)
]
Label = Annotated[  # names a `vary` may make
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=150), AfterValidator(not_repeating)
]
Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$", max_length=161)]  # dataset/split
Once = AfterValidator(once)
Folder = Annotated[str, AfterValidator(folder)]
Count = Annotated[int, Bounds(1)]
Amount = Annotated[int, Bounds(0)]
Seed = Annotated[int, Bounds(0, 2**63 - 1)]
Share = Annotated[float, Bounds(0, 1)]

Quality = Annotated[str, StringConstraints(pattern=pattern(JUDGEMENTS, PAGES))]  # what weights are tuned by
Metric = Annotated[str, StringConstraints(pattern=f"{pattern(*OF_RUNS, TIME, *OF_EXAMPLES)}|{costs.PATTERN}")]
Grade = Annotated[
    float, Field(gt=0, allow_inf_nan=False), AfterValidator(lambda grade: int(grade) if grade == int(grade) else grade)
]


class Row(Strict):
    """A row of a paper: a system and its setting."""

    system: str = Field(description="its name in studies/published/")
    train: int | str | None = Field(None, description="training queries: a number or full")
    neg: str | None = Field(None, description="bm25, or hn: mined hard negatives as well")
    label: str | None = Field(None, description="how training labels were made, such as soft")
    stage: str | None = Field(None, description="of a training in several stages, such as denoise, or zero-shot")
    encoder: str | None = Field(None, description="what it started from, where papers compare several: bert-base, …")
    pretrained: str | None = Field(None, description="as a retriever, before that: none, ict, bfs, paq or reddit")
    teacher: str | None = Field(None, description="none, pairwise, in-batch, or dual: both")
    sampling: str | None = Field(None, description="of batches: random, tas or tas-balanced")
    size: int | None = Field(None, description="dimensions of a vector")
    batch: int | None = Field(None, description="queries of a training step")
    loss: str | None = Field(None, description="of the in-batch teacher, where it is not margin-mse")
    instance: str | None = Field(None, description="of trainings that differ in their order alone: B, C, … or mean")
    rerank: str | None = Field(None, description="what put the passages into another order, such as mores+@100")

    @property
    def setting(self) -> dict[str, int | str]:
        return self.model_dump(exclude={"system"}, exclude_none=True)

    def __str__(self) -> str:
        """As a study writes it."""
        return f"{{{', '.join(f'{key}: {value}' for key, value in self.model_dump(exclude_none=True).items())}}}"
