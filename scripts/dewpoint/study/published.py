"""What papers published, from studies/published/: a file a paper, its figures with the digits that are printed."""

import re
from collections import Counter
from collections.abc import Container
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from dewpoint.errors import UserError
from dewpoint.evaluation.costs import is_cost
from dewpoint.study.kind import Strict
from dewpoint.study.types import Metric, Place, Row
from dewpoint.study.written import Yaml, nearest, parse

PUBLISHED = Path(__file__).parents[3] / "studies" / "published"

Figure = Annotated[Decimal, Field(ge=0)]
SHOWN = Literal["Spearman", "Accuracy", "Share", "Edits"]  # of no run; Edits are words
AnyMetric = Metric | SHOWN
Figures = dict[Place, dict[AnyMetric, Figure]]


class PrintedRow(Strict):
    row: Row = Field(description="what a study says as `published:`")
    printed: str | None = Field(None, description="its name in print, where that is not the system's")
    on: Figures = Field(min_length=1, description="shares of one, costs, edits; without cells that are empty")
    sd: Figures = Field({}, description="standard deviations, of figures that are means")
    suspect: dict[Place, list[AnyMetric]] = Field({}, description="figures that look like misprints: shown, not judged")
    inferred: bool = Field(False, description="part of `row` is not said in the paper, but follows from it")
    note: str = ""

    @model_validator(mode="after")
    def shares_are_of_one(self):
        for place, metrics in self.on.items():
            for metric, figure in metrics.items():
                if figure > 1 and not (is_cost(metric) or metric == "Edits"):
                    raise ValueError(f"on: {metric} on {place} is {figure}; write it as a share of one")
        return self

    @model_validator(mode="after")
    def what_is_said_of_figures_has_one(self):
        for key, places in (("suspect", self.suspect), ("sd", self.sd)):
            for place, metrics in places.items():
                for metric in metrics:
                    if metric not in self.on.get(place, {}):
                        raise ValueError(f"{key}: no {metric} on {place} in the row")
        return self


def setting_text(row: Row, keys: Container[str] = tuple(Row.model_fields)) -> str:
    return ", ".join(f"{key} {value}" for key, value in row.setting.items() if key in keys)


class PrintedTable(Strict):
    caption: str
    notes: list[str] = Field([], description="what a reader of the figures needs")
    rows: list[PrintedRow] = Field(min_length=1)

    @model_validator(mode="after")
    def a_row_once(self):
        row, times = Counter(printed.row for printed in self.rows).most_common(1)[0]
        if times > 1:
            raise ValueError(f"row {row} twice")
        return self

    @property
    def names(self) -> dict[Row, str]:
        """What each row is called in print, with its setting where others are called the same."""
        called = {printed.row: printed.printed or printed.row.system for printed in self.rows}
        names = {}
        for row, name in called.items():
            alike = [other.setting for other in called if called[other] == name]
            differing = {key for other in alike for key in row.setting if other.get(key) != row.setting[key]}
            names[row] = ", ".join(filter(None, [name, setting_text(row, differing)]))
        return names


class Paper(Strict):
    title: str
    authors: list[str] = Field(min_length=1)
    year: int
    where: str = Field(description="where it appeared, and which version the figures are from")
    tables: dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")], PrintedTable] = Field(min_length=1)


class Digits(Yaml):
    """YAML whose fractions stay text: 0.330 is not 0.33."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":float")]
        for first, resolvers in Yaml.yaml_implicit_resolvers.items()
    }


@cache
def load_paper(path: Path) -> Paper:
    try:
        return Paper.model_validate(parse(path, Digits))
    except ValidationError as error:
        errors = error.errors()
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        message = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}: {message}") from None


def printed_table(name: str) -> PrintedTable:
    """A table by its name, such as condenser/table5; the nearest is offered for one that is not there."""
    paper, table = name.split("/")
    path = PUBLISHED / f"{paper}.yaml"
    tables = load_paper(path).tables if path.is_file() else {}
    if table not in tables:
        files = [path] if tables else sorted(PUBLISHED.glob("*.yaml"))
        known = [f"{file.stem}/{table}" for file in files for table in load_paper(file).tables]
        raise UserError(f"no published table '{name}'{nearest(name, known)}")
    return tables[table]


def cited(name: str) -> dict[str, str | list[str]]:
    """Where a table is from, and what its reader must know."""
    paper, table = name.split("/")
    printed, source = printed_table(name), load_paper(PUBLISHED / f"{paper}.yaml")
    surnames = [author.split()[-1] for author in source.authors]
    who = " & ".join(surnames) if len(surnames) < 3 else f"{surnames[0]} et al."
    number = re.sub(r"(?<=\D)(?=\d)", " ", table)
    return {"source": f"{who} ({source.year}), {number}: {printed.caption}", "notes": printed.notes}
