"""`series`: a metric over a setting, such as the training queries; what differs in nothing else is averaged."""

from collections.abc import Iterator
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dewpoint.analyses._on_split import OnSplit
from dewpoint.artifact import Artifact
from dewpoint.evaluation.costs import is_cost
from dewpoint.evaluation.registry import entry
from dewpoint.study.bases import Asked
from dewpoint.study.kind import For
from dewpoint.study.types import Metric, Name
from dewpoint.study.written import as_text, in_names

MOST = 2000  # rankers
WIDE = 20  # times that the largest value is the smallest, from which on the axis is logarithmic


class Series(OnSplit):
    """A metric of rankers that a `vary` has made over one axis, a line for each value of another, the rest averaged."""

    kind: Literal["series"]
    rankers: Annotated[str, For()] = Field(description="their names, as the `vary` writes them: bert-{queries}-{seed}")
    axes: Annotated[dict[Name, Annotated[list[Any], Field(min_length=1)]], For()] = Field(
        min_length=1, description="what stands in the names, as in `vary`: {queries: [1000, all], seed: [1, 2, 3]}"
    )
    x: Name = Field(description="the axis that is drawn from left to right")
    lines: Name | None = Field(None, description="the axis with a line for each value; left out: one line")
    metric: Metric = Field("MRR@10", description="that is drawn; mean and standard deviation over all other axes")

    @model_validator(mode="after")
    def axes_that_fit(self):
        for key in ("x", "lines"):
            if (axis := getattr(self, key)) is not None and axis not in self.axes:
                raise ValueError(f"{key}: '{axis}' is none of the axes, {', '.join(self.axes)}")
        if self.x == self.lines:
            raise ValueError(f"lines: '{self.x}' is drawn from left to right already")
        if missing := [axis for axis in self.axes if f"{{{axis}}}" not in self.rankers]:
            raise ValueError(f"rankers: put {{{missing[0]}}} in the names")
        if (count := prod(map(len, self.axes.values()))) > MOST:
            raise ValueError(f"axes: make {count:,} rankers, at most {MOST:,}")
        if len({name for name, _ in self.named()}) < count:
            raise ValueError("axes: two of the rankers have one name; say each value once")
        return self

    def named(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(name, the axes' values) of each ranker."""
        for values in product(*self.axes.values()):
            chosen, name = dict(zip(self.axes, values, strict=True)), self.rankers
            for axis, value in chosen.items():
                name = name.replace(f"{{{axis}}}", in_names(value))
            yield name, chosen

    def names(self) -> Iterator[tuple[str, str, str]]:
        yield from (("rankers", "rankers", name) for name, _ in self.named())

    def asks(self) -> Iterator[Asked]:
        for name, _ in self.named():
            yield "on", name, *self.on.split("/")

    def work_settings(self, config) -> dict[str, Any]:
        points = [
            {"ranker": name, "line": as_text(chosen[self.lines]) if self.lines else "", "x": as_text(chosen[self.x])}
            for name, chosen in self.named()
        ]
        values = self.axes[self.x]
        numbers = values if all(isinstance(value, int | float) for value in values) else None
        made = {"points": points, "axis": self.x, "values": list(map(as_text, values)), "numbers": numbers}
        return made | {"split": self.on.split("/")[1], "metric": self.metric}

    def check(self, study) -> Iterator[tuple[str, str]]:
        if is_cost(self.metric):
            yield "metric", f"{self.metric} is no quality of a query's passages; write MRR@10, say"
        elif wrong := study.lacks_split(*self.on.split("/"), [self.metric]):
            yield "on", wrong
        elif study.datasets[self.on.split("/")[0]].examples.get(self.on.split("/")[1]):
            yield "on", f"{self.on} has examples; take a split of queries"
        else:
            for name, _ in self.named():
                if (entry(self.metric)[1] or 0) > (depth := study.rankers[name].depth):
                    yield "metric", f"{self.metric} of '{name}', which keeps only {depth} passages; raise its depth"


def work(artifact: Artifact, settings, dataset: Path, runs: list[Path]) -> None:
    import pandas as pd

    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import read_run
    from dewpoint.evaluation.metrics import measure
    from dewpoint.report.marked import Line, figure

    data, rows = Dataset(dataset), []
    for point, path in zip(settings.points, runs, strict=True):
        value = float(measure(read_run(path), data, settings.split, [settings.metric])[settings.metric].mean())
        rows.append({"line": point.line, "x": point.x, "ranker": point.ranker, "value": value})
    measured = pd.DataFrame(rows)
    measured.to_parquet(artifact.path("rankers.parquet"), index=False)
    table = (
        measured.groupby(["line", "x"], sort=False)["value"].agg(mean="mean", sd="std", rankers="size").reset_index()
    )
    table.to_parquet(artifact.path("series.parquet"), index=False)
    numbers = settings.numbers or range(len(settings.values))
    table["at"] = table["x"].map(dict(zip(settings.values, map(float, numbers), strict=True)))
    series = [
        Line(line or settings.metric, list(zip(part["at"], part["mean"], strict=True)), part["sd"].tolist())
        for line, part in table.sort_values("at", kind="stable").groupby("line", sort=False)
    ]
    wide = settings.numbers is not None and min(numbers) > 0 and max(numbers) >= WIDE * min(numbers)
    places = None if settings.numbers else settings.values
    said = figure(series, settings.axis, settings.metric, logarithmic=wide, places=places)
    artifact.path("series.svg").write_text(said, encoding="utf-8")
    artifact.facts["rankers"] = len(rows)
