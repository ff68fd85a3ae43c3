"""`recall`: how much of what is relevant each ranker finds, the deeper one looks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dewpoint.analyses._on_split import OnSplit
from dewpoint.artifact import Artifact
from dewpoint.study.bases import Asked
from dewpoint.study.kind import Names
from dewpoint.study.types import Label, Once


class Recall(OnSplit):
    """The share of relevant passages among the first 1, 2, 5, 10, … that rankers find."""

    kind: Literal["recall"]
    rankers: Annotated[list[Label], Names("rankers"), Once] = Field(
        min_length=1, description="whose runs are looked at"
    )

    def asks(self) -> Iterator[Asked]:
        for ranker in self.rankers:
            yield "on", ranker, *self.on.split("/")

    def work_settings(self, config) -> dict[str, Any]:
        return {"rankers": self.rankers, "split": self.on.split("/")[1]}

    def check(self, study) -> Iterator[tuple[str, str]]:
        if wrong := study.lacks_split(*self.on.split("/")):
            yield "on", wrong


def work(artifact: Artifact, settings, dataset: Path, runs: list[Path]) -> None:
    import pandas as pd

    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import read_run
    from dewpoint.evaluation.metrics import measure
    from dewpoint.report.chart import lines

    rows, series = [], {}
    for ranker, path in zip(settings.rankers, runs, strict=True):
        run = read_run(path)
        depths = steps(int(run.rank.max(initial=1)))
        found = measure(run, Dataset(dataset), settings.split, [f"R@{depth}" for depth in depths]).mean()
        series[ranker] = list(zip(depths, found, strict=True))
        rows += [{"ranker": ranker, "depth": depth, "recall": share} for depth, share in series[ranker]]
    pd.DataFrame(rows).to_parquet(artifact.path("recall.parquet"), index=False)
    artifact.path("recall.svg").write_text(lines(series, "passages", "recall", logarithmic=True), encoding="utf-8")
    artifact.facts |= {"deepest": {ranker: round(float(points[-1][1]), 6) for ranker, points in series.items()}}


def steps(deepest: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, … up to the deepest, and that."""
    rounds = [digit * 10**power for power in range(len(str(deepest))) for digit in (1, 2, 5)]
    return [*(depth for depth in rounds if depth < deepest), deepest]
