"""What the table program is asked for. Mappings are those whose keys are a study's or a paper's own names."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(Asked):
    """A place, dataset/split, and what of it is shown."""

    on: str
    metrics: list[str]


class PrintedRow(Asked):
    """A row of a paper's table: its figures, with the digits that are printed, by place and metric."""

    row: str
    name: str
    system: str
    setting: str
    note: str
    inferred: bool
    figures: dict[str, dict[str, str]]
    suspect: dict[str, list[str]]  # metrics whose figures look like misprints, by place
    sd: dict[str, dict[str, str]] = {}  # of figures that are means


class Paper(Asked):
    """The paper's table that is reproduced."""

    source: str
    notes: list[str]
    rows: list[PrintedRow]
    reproduces: dict[str, str]  # ranker → row
    absent: dict[str, str]  # system → why it is not run
    tolerance: float
    published_on: dict[str, str] = {}  # place → the paper's, where that is of other queries


class TableSettings(Asked):
    """Rankers × metrics, and what a paper printed of them."""

    title: str
    rankers: list[str]
    baseline: str | None
    columns: list[Column]
    paper: Paper | None
    turns: int | None = None  # in which latencies are measured

    @classmethod
    def of(cls, written: dict[str, Any]) -> "TableSettings":
        return cls.model_validate(written)
