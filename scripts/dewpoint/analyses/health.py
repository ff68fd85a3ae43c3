"""`health`: how a dense ranker's vectors lie, and how unevenly its run takes passages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Analysis, Asked, Inputs, Resources
from dewpoint.study.kind import For, Names
from dewpoint.study.sizes import Cost, of_core
from dewpoint.study.types import Count, Label, Once, Place

STREAMED = 40_000  # vectors of 768 dimensions whose covariance a core adds up in a second; reckoned


class Health(Analysis):
    """Of dense rankers: lengths of the passages' vectors, how alike these are, their effective rank, and hubness."""

    resources: ClassVar[Resources] = Resources(mem_mb=8000, runtime=120, threads="half")

    kind: Literal["health"]
    rankers: Annotated[list[Label], Names("rankers"), Once] = Field(
        min_length=1, description="dense ones, whose models' vectors and whose runs are looked at"
    )
    on: Annotated[Place, For()] = Field(
        description="dataset/split: the passages, and the queries that they are found by"
    )
    k: Count = Field(10, description="passages of a query in which N_k counts how often each is")

    def asks(self) -> Iterator[Asked]:
        for ranker in self.rankers:
            yield "on", ranker, *self.on.split("/")

    def work_settings(self, config) -> dict[str, Any]:
        return {"rankers": self.rankers, "k": self.k}

    def inputs(self, graph) -> Inputs:
        dataset = self.on.split("/")[0]
        models = [graph.study.rankers[name].model for name in self.rankers]
        return super().inputs(graph) | {
            "vectors": [path for model in models for path in graph.embeddings(model, dataset, "corpus")]
        }

    def check(self, study) -> Iterator[tuple[str, str]]:
        dataset, split = self.on.split("/")
        if (wrong := study.lacks_split(dataset, split)) and study.lacks_split(dataset, split, ["Hit@1"]):
            yield "on", wrong
        for name in self.rankers:
            model, ranker = getattr(study.rankers[name], "model", None), study.rankers[name]
            if model is None or ranker.of_examples:
                yield "rankers", f"'{name}' searches no vectors; name a retriever, or a ranker of kind: dense"
            elif study.models[model].several:
                yield "rankers", f"'{name}' has a vector for each token; name a ranker that has one a text"
            if self.k > ranker.depth:
                yield "k", f"{self.k}, but ranker '{name}' keeps {ranker.depth}"

    def cost(self, sizes) -> Cost:
        found, dataset = super().cost(sizes), self.on.split("/")[0]
        return found + of_core(len(self.rankers) * sizes.passages(dataset), STREAMED)


def work(artifact: Artifact, settings, vectors: list[Path], runs: list[Path]) -> None:
    import numpy as np
    import pandas as pd

    from dewpoint.data.runs import read_run
    from dewpoint.report.marked import Line, figure
    from dewpoint.search.health import concentration, hubness, occurrences, spread
    from dewpoint.search.vectors import Vectors

    rows, spectra, spectrum, taken = [], [], [], []
    shards = len(vectors) // len(runs)
    for number, (name, path) in enumerate(zip(settings.rankers, runs, strict=True)):
        passages = Vectors(vectors[number * shards : (number + 1) * shards])
        found, run = spread(passages), read_run(path)
        counts = occurrences(run, settings.k, len(passages))
        row = {"ranker": name, "passages": len(passages), "dimension": passages.dimension, **found.lengths}
        row |= {"cosine": found.cosine, "effective_rank": found.effective_rank}
        rows.append(row | {"participation_ratio": found.participation_ratio, **hubness(counts)})
        shares, direction = found.shares, np.arange(1, passages.dimension + 1)
        spectra.append(pd.DataFrame({"ranker": name, "direction": direction, "variance": found.variances}))
        spectrum.append(Line(name, list(zip(direction.tolist(), np.cumsum(shares).tolist(), strict=True))))
        taken.append(Line(name, concentration(counts)))
    pd.DataFrame(rows).to_parquet(artifact.path("health.parquet"), index=False)
    pd.concat(spectra).to_parquet(artifact.path("spectrum.parquet"), index=False)
    said = figure(spectrum, "directions, those of most variance first", "share of the variance", logarithmic=True)
    artifact.path("spectrum.svg").write_text(said, encoding="utf-8")
    said = figure(taken, "share of the passages, the most found first", f"share of the first {settings.k}", True)
    artifact.path("hubs.svg").write_text(said, encoding="utf-8")
    artifact.facts["k"] = settings.k
