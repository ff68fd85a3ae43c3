"""`neighbours`: how many of the passages that a second ranker finds first a first ranker finds among its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dewpoint.analyses._on_split import OnSplit
from dewpoint.artifact import Artifact
from dewpoint.study.bases import Asked
from dewpoint.study.kind import Names
from dewpoint.study.types import Count, Label, Once


class Neighbours(OnSplit):
    """Neighbourhood recall, nb-recall_n@k: of a second ranker's first n passages the share among a first one's k."""

    kind: Literal["neighbours"]
    first: Annotated[list[Label], Names("rankers"), Once] = Field(
        min_length=1, description="rankers of a first round, whose first k passages are looked among"
    )
    second: Annotated[list[Label], Names("rankers")] = Field(
        min_length=1, description="that of the second round for each of them, or one for all, whose first n are sought"
    )
    top: Annotated[list[Count], Field(min_length=1)] = Field([50, 100], description="n")
    depths: Annotated[list[Count], Field(min_length=1)] = Field(
        [10, 20, 50, 100, 200, 500, 1000], description="k, as far as the first rankers' depth goes"
    )

    @model_validator(mode="after")
    def a_second_for_each(self):
        if len(self.second) not in (1, len(self.first)):
            raise ValueError(f"second: {len(self.second)} for {len(self.first)} of `first`; name one for each, or one")
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        seconds = self.second * len(self.first) if len(self.second) == 1 else self.second
        return list(zip(self.first, seconds, strict=True))

    def asks(self) -> Iterator[Asked]:
        for pair in self.pairs:
            yield from (("on", ranker, *self.on.split("/")) for ranker in pair)

    def work_settings(self, config) -> dict[str, Any]:
        made = {"pairs": self.pairs, "split": self.on.split("/")[1]}
        return made | {key: sorted(set(getattr(self, key))) for key in ("top", "depths")}

    def check(self, study) -> Iterator[tuple[str, str]]:
        dataset, split = self.on.split("/")
        if (wrong := study.lacks_split(dataset, split)) and study.lacks_split(dataset, split, ["Hit@1"]):
            yield "on", wrong
        for ranker in self.first:
            if min(self.depths) > (depth := study.rankers[ranker].depth):
                yield "depths", f"{min(self.depths)} at least, but ranker '{ranker}' keeps {depth}"
        for ranker in self.second:
            if max(self.top) > (depth := study.rankers[ranker].depth):
                yield "top", f"{max(self.top)}, but ranker '{ranker}' keeps {depth}"


def work(artifact: Artifact, settings, dataset: Path, runs: list[Path]) -> None:
    import numpy as np
    import pandas as pd

    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import abreast
    from dewpoint.errors import UserError
    from dewpoint.evaluation.neighbours import shared
    from dewpoint.report.marked import Line, figure

    queries, rows, series = Dataset(dataset).rows(f"queries.{settings.split}"), [], []
    for (first, second), *both in zip(settings.pairs, runs[::2], runs[1::2], strict=True):
        found, deepest = np.zeros((len(settings.top), len(settings.depths)), np.int64), 0
        for one, other in abreast(both):
            found += shared(one, other, settings.top, settings.depths)
            deepest = max(deepest, int(one.rank.max(initial=0)))
        if not deepest:
            raise UserError(f"{both[0]}: finds nothing for any query of {settings.split}; take another ranker")
        for n, counts in zip(settings.top, found.tolist(), strict=True):
            known = [(k, count / (n * queries)) for k, count in zip(settings.depths, counts, strict=True)]
            known = known[: max(1, int(np.searchsorted(settings.depths, deepest, "right")))]
            rows += [{"first": first, "second": second, "n": n, "k": k, "nb_recall": share} for k, share in known]
            series.append(Line(f"{first} → {second}, n = {n}", known))
    pd.DataFrame(rows).to_parquet(artifact.path("neighbours.parquet"), index=False)
    said = figure(series, "k, passages of the first", "nb-recall", logarithmic=True)
    artifact.path("neighbours.svg").write_text(said, encoding="utf-8")
    artifact.facts["queries"] = queries
