"""`proxy`: how well what was measured while models were trained says which of them is best."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dewpoint.analyses._on_split import OnSplit
from dewpoint.artifact import Artifact
from dewpoint.study.bases import Asked, Inputs
from dewpoint.study.kind import Names
from dewpoint.study.types import Label, Once, Quality

BEST = "best_development_"  # what a training says of its highest measurement


class Proxy(OnSplit):
    """The measurement of `development` beside a metric of the whole corpus, for several models."""

    kind: Literal["proxy"]
    models: Annotated[list[Label], Names("rankers"), Once] = Field(
        min_length=3, description="retrievers that have a `development`, all alike"
    )
    metric: Quality = Field("MRR@10", description="of the whole corpus")

    def asks(self) -> Iterator[Asked]:
        for model in self.models:
            yield "on", model, *self.on.split("/")

    def work_settings(self, config) -> dict[str, Any]:
        return {"models": self.models, "metric": self.metric, "split": self.on.split("/")[1]}

    def inputs(self, graph) -> Inputs:
        trained = [graph.model(model) for model in self.models]
        return super().inputs(graph) | {"trained": trained}

    def check(self, study) -> Iterator[tuple[str, str]]:
        if wrong := study.lacks_split(*self.on.split("/")):
            yield "on", wrong
        for model in self.models:
            if not getattr(study.models.get(model), "development", None):
                yield "models", f"'{model}' is not measured while it is trained; give it a `development`"


def work(artifact: Artifact, settings, dataset: Path, trained: list[Path], runs: list[Path]) -> None:
    import pandas as pd

    from dewpoint.artifact import read_manifest
    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import read_run
    from dewpoint.errors import UserError
    from dewpoint.evaluation.metrics import measure
    from dewpoint.report.chart import lines

    data, rows, names = Dataset(dataset), [], set()
    for model, made, path in zip(settings.models, trained, runs, strict=True):
        facts = read_manifest(made)["facts"]
        name = next((key for key in facts if key.startswith(BEST)), None)
        if name is None:
            raise UserError(f"{made}: nothing was measured while it was trained; name a model with `development`")
        full = measure(read_run(path), data, settings.split, [settings.metric])[settings.metric].mean()
        rows.append({"model": model, "development": facts[name], "full": float(full)})
        names.add(name.removeprefix(BEST))
    if len(names) > 1:
        raise UserError(f"models: {' and '.join(sorted(names))} were measured; only one metric can be compared")
    table = pd.DataFrame(rows)
    table.to_parquet(artifact.path("proxy.parquet"), index=False)
    both = table[["development", "full"]]
    agree = {name: float(both.corr(name).iloc[0, 1]) for name in ("pearson", "spearman")}
    points = sorted(both.itertuples(index=False, name=None))
    series = {f"Pearson {agree['pearson']:.2f}, Spearman {agree['spearman']:.2f}": points}
    figure = lines(series, f"{names.pop()} while training", settings.metric)
    artifact.path("proxy.svg").write_text(figure, encoding="utf-8")
    artifact.facts |= {name: round(value, 4) for name, value in agree.items() if value == value}  # of some, not alike
