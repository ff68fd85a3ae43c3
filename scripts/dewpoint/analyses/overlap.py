"""`overlap`: the questions of a split that a pre-training asked, too, and how far the nearest of those are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.errors import UserError
from dewpoint.evaluation.costs import is_cost
from dewpoint.evaluation.registry import entry
from dewpoint.study.bases import Analysis, Asked, Inputs
from dewpoint.study.kind import For, Names
from dewpoint.study.sizes import Cost, of_core
from dewpoint.study.types import Count, Label, Metric, Name, Once, Place

LOOKED_THROUGH = 2_000_000  # questions in a second by a core; measured
FARTHEST = 10  # words, of the figure; what is farther is there, too


class Overlap(Analysis):
    """Questions that others were the same as or near to, and whether two rankers hit them, each or both or neither."""

    kind: Literal["overlap"]
    rankers: Annotated[list[Label], Names("rankers"), Once] = Field(
        min_length=2, max_length=2, description="the two that are compared"
    )
    on: Annotated[Place, For()] = Field(description="dataset/split: the questions, and where the two are measured")
    metric: Metric = Field("Hit@20", description="a ranker hits a question where this is above 0")
    among: Annotated[Name, Names("datasets")] = Field(
        description="a dataset of source `questions`: the others as passages, searched for the questions of the split"
    )
    ranker: Annotated[Label, Names("rankers")] = Field(description="that finds the nearest of the others")
    nearest: Count = Field(100, description="of them, whose distance in words is taken; the smallest counts")
    compare: Literal["exact", "case", "words"] = Field(
        "words", description="letter for letter; whatever the case and spaces; or by small letters and digits alone"
    )

    def asks(self) -> Iterator[Asked]:
        dataset, split = self.on.split("/")
        for ranker in self.rankers:
            yield "on", ranker, dataset, split
        yield "ranker", self.ranker, self.among, split

    def work_settings(self, config) -> dict[str, Any]:
        return self.settings("work") | {"rankers": self.rankers, "split": self.on.split("/")[1]}

    def inputs(self, graph) -> Inputs:
        of = {"dataset": self.on.split("/")[0], "among": self.among}
        return super().inputs(graph) | {flag: [graph.dataset(name)] for flag, name in of.items()}

    def check(self, study) -> Iterator[tuple[str, str]]:
        dataset, split = self.on.split("/")
        if is_cost(self.metric):
            yield "metric", f"{self.metric} is no quality of a question's passages; write Hit@20, say"
        elif wrong := study.lacks_split(dataset, split, [self.metric]):
            yield "on", wrong
        elif wrong := study.lacks_split(self.among, split, ["Hit@1"]):
            yield "among", wrong
        depths = [("metric", name, entry(self.metric)[1] or 0) for name in self.rankers]
        for key, name, asked in [*depths, ("nearest", self.ranker, self.nearest)]:
            if asked > (depth := study.rankers[name].depth):
                yield key, f"{asked} of '{name}', which keeps only {depth} passages; raise its depth"

    def cost(self, sizes) -> Cost:
        return super().cost(sizes) + of_core(sizes.passages(self.among), LOOKED_THROUGH)


def work(artifact: Artifact, settings, dataset: Path, among: Path, runs: list[Path]) -> None:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import read_run
    from dewpoint.evaluation.metrics import measure
    from dewpoint.evaluation.overlap import look_through, normalised, smallest, word_edits
    from dewpoint.report.chart import lines

    data, others, table = Dataset(dataset), Dataset(among), f"queries.{settings.split}"
    questions = data.column(table, "text")
    if not others.column(table, "text").equals(questions):
        raise UserError(f"{among}: its queries of {settings.split} are not those of {dataset}; name a dataset of them")
    *measured, near = map(read_run, runs)
    near = near.at(near.rank <= settings.nearest)
    if not len(near.query):
        raise UserError(f"{runs[-1]}: nothing is near to any question of {settings.split}; take another ranker")
    wanted, number = np.unique(near.passage, return_inverse=True)
    verbatim, texts = look_through(others, questions, settings.compare, wanted)
    distance = word_edits(*(normalised(of, settings.compare) for of in (questions, texts)), near.query, number)
    row = smallest(near.query, distance, len(questions))
    found = pd.DataFrame(
        {"question": questions.to_pylist(), "verbatim": verbatim.passage >= 0}, pd.RangeIndex(len(row))
    )
    found["times"] = verbatim.times
    found["words"] = pd.array(np.where(row < 0, 0, distance[row]), "Int32")
    found["nearest"] = texts.take(pa.array(number[row])).to_pylist()
    found.loc[row < 0, ["words", "nearest"]] = None
    hits = [f"hit by {name}" for name in settings.rankers]
    for column, run in zip(hits, measured, strict=True):
        values = measure(run, data, settings.split, [settings.metric])[settings.metric].dropna()
        found[column] = (values > 0).astype("boolean").reindex(found.index)
    found.rename_axis("query").reset_index().to_parquet(artifact.path("questions.parquet"), index=False)
    by_hits(found, hits).to_parquet(artifact.path("cells.parquet"), index=False)
    by_verbatim(found, hits).to_parquet(artifact.path("verbatim.parquet"), index=False)
    if not all((series := by_distance(found, hits)).values()):
        raise UserError(f"{runs[-1]}: what is near is so to no question that {settings.metric} counts")
    figure = lines(series, f"words to the nearest ({FARTHEST}: and more)", "hit")
    artifact.path("overlap.svg").write_text(figure, encoding="utf-8")
    artifact.facts |= {
        "among": others.rows("corpus"),
        "questions": len(found),
        "verbatim": int(found["verbatim"].sum()),
        "none_near": int(found["words"].isna().sum()),
    }


def by_hits(found, hits: list[str]):
    """The questions that both hit, one alone, neither, and how many words away their nearest are on average."""
    import pandas as pd

    rows = []
    for first in (True, False):
        for second in (True, False):
            of = found[(found[hits[0]] == first).fillna(False) & (found[hits[1]] == second).fillna(False)]
            rows.append({hits[0]: first, hits[1]: second, "questions": len(of), "words": mean(of["words"])})
    return pd.DataFrame(rows)


def by_verbatim(found, hits: list[str]):
    """Which share of those that are among the others each ranker hits, of the rest, and of all."""
    import pandas as pd

    parts = {"yes": found[found["verbatim"]], "no": found[~found["verbatim"]], "all": found}
    return pd.DataFrame(
        {"verbatim": name, "questions": len(of), "share": len(of) / len(found)}
        | {column: mean(of[column]) for column in [*hits, "words"]}
        for name, of in parts.items()
    )


def by_distance(found, hits: list[str]) -> dict[str, list[tuple[float, float]]]:
    """Each ranker's share of hits by the distance of the nearest."""
    series = {}
    for column in hits:
        known = found.dropna(subset=["words", column])
        shares = known[column].astype(float).groupby(known["words"].clip(upper=FARTHEST).astype(int)).mean()
        series[column] = list(shares.items())
    return series


def mean(values) -> float:
    """nan where there are none."""
    return float(values.dropna().astype(float).mean())
