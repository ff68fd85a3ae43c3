"""`near-duplicates`: passages, or queries of several splits, that are nearly the same by their words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Analysis, Inputs, Resources
from dewpoint.study.kind import Names
from dewpoint.study.sizes import Cost, of_core
from dewpoint.study.types import Count, Name, Once

HASHED = 20_000  # texts of 60 words that a core looks at in a second; measured
STEPS = 20  # of the figure


class NearDuplicates(Analysis):
    """Texts whose sets of words in a row have much in common, in a corpus or within and across splits of queries."""

    resources: ClassVar[Resources] = Resources(mem_mb=16_000, runtime=240)

    kind: Literal["near-duplicates"]
    data: Annotated[Name, Names("datasets")] = Field(description="the dataset whose texts they are")
    splits: Annotated[list[Name], Once] = Field([], description="whose queries are looked at; none: the passages are")
    jaccard: float = Field(0.8, ge=0.1, le=1, description="from which on two texts are near-duplicates")
    words: Count = Field(3, description="in a row, of which sets are made; a shorter text is one such")

    def inputs(self, graph) -> Inputs:
        return {"dataset": [graph.dataset(self.data)]}

    def check(self, study) -> Iterator[tuple[str, str]]:
        for split in self.splits:
            if (wrong := study.lacks_split(self.data, split)) and study.lacks_split(self.data, split, ["Hit@1"]):
                yield "splits", wrong

    def cost(self, sizes) -> Cost:
        queries = sum(sizes.queries(self.data, split) for split in self.splits)
        return of_core(queries if self.splits else sizes.passages(self.data), HASHED)


def work(artifact: Artifact, settings, dataset: Path) -> None:
    import numpy as np
    import pandas as pd

    from dewpoint.data.dataset import Dataset
    from dewpoint.evaluation.near_duplicates import counts, near
    from dewpoint.report.marked import Line, figure

    data, names = Dataset(dataset), np.array(settings.splits or ["passages"])
    tables = [f"queries.{split}" for split in settings.splits] or ["corpus"]
    found = near(data, tables, settings.words, settings.jaccard, settings.seed)
    starts = np.concatenate([[0], np.cumsum([data.rows(table) for table in tables])])
    columns: dict[str, Any] = {}
    of = {}
    for side in ("first", "second"):
        text = getattr(found, side)
        of[side] = np.searchsorted(starts, text, "right") - 1
        columns |= {f"{side}_of": names[of[side]], side: (text - starts[of[side]]).astype(np.int32)}
    pairs = pd.DataFrame(columns | {"jaccard": found.jaccard})
    pairs.to_parquet(artifact.path("pairs.parquet"), index=False)
    near_ones, texts = counts(found, starts), np.diff(starts)
    rows = [
        {"of": one, "near_to": other, "texts": texts[row], "near_duplicates": near_ones[row, column]}
        for row, one in enumerate(names)
        for column, other in enumerate(names)
    ]
    table = pd.DataFrame(rows)
    table["share"] = table["near_duplicates"] / table["texts"].clip(lower=1)
    table.to_parquet(artifact.path("counts.parquet"), index=False)
    series, at = [], np.linspace(settings.jaccard, 1, STEPS + 1) if settings.jaccard < 1 else np.ones(1)
    for row, one in enumerate(names):
        for column in range(row, len(names)):
            both = np.sort(found.jaccard[(of["first"] == row) & (of["second"] == column)])
            many = len(both) - np.searchsorted(both, at - 1e-9)
            name = str(one) if row == column else f"{one} and {names[column]}"
            series.append(Line(name, list(zip(at.tolist(), many.astype(float).tolist(), strict=True))))
    said = figure(series, "Jaccard coefficient", "pairs at least so alike")
    artifact.path("near-duplicates.svg").write_text(said, encoding="utf-8")
    artifact.facts |= {"texts": int(texts.sum()), "pairs": len(pairs), "crowded": found.crowded}
