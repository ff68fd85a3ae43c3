"""What fields of a study are made of: names, numbers, metrics, and the rows of papers."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from dewpoint.evaluation.registry import JUDGEMENTS, OF_RUNS, PAGES, TIME, pattern
from dewpoint.study.kind import Strict

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]  # names a `vary` may make
Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$")]  # dataset/split
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]

Quality = Annotated[str, StringConstraints(pattern=pattern(JUDGEMENTS, PAGES))]  # what weights are tuned by
Metric = Annotated[str, StringConstraints(pattern=pattern(*OF_RUNS, TIME))]
Grade = Annotated[
    float, Field(gt=0, allow_inf_nan=False), AfterValidator(lambda grade: int(grade) if grade == int(grade) else grade)
]


class Row(Strict):
    """A row of a paper: a system and its setting."""

    system: str = Field(description="its name in studies/published/")
    train: int | str | None = Field(None, description="training queries: a number or full")
    neg: str | None = Field(None, description="bm25, or hn: mined hard negatives as well")
    label: str | None = Field(None, description="how training labels were made, such as soft")
    stage: str | None = Field(None, description="of a training in several stages, such as denoise")
    rerank: str | None = Field(None, description="what put the passages into another order, such as mores+@100")

    @property
    def setting(self) -> dict[str, int | str]:
        return self.model_dump(exclude={"system"}, exclude_none=True)

    def __str__(self) -> str:
        """As a study writes it."""
        return f"{{{', '.join(f'{key}: {value}' for key, value in self.model_dump(exclude_none=True).items())}}}"
