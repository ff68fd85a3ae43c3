"""`fusion`: several rankers' runs made one, score(q, p) = Σ_r w_r · share_r(q, p) over the rankers that found p."""

from collections.abc import Iterator
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.evaluation.registry import entry, goes_by
from dewpoint.rankers._parts import opened
from dewpoint.study.bases import Inputs, Ranker, Resources
from dewpoint.study.kind import For, Names, Strict
from dewpoint.study.sizes import written
from dewpoint.study.types import Count, Label, Name, Once, Quality

if TYPE_CHECKING:
    from dewpoint.search.live import Live

MOST_TRIED = 10_000  # weights of one fusion
SHARE = For("index", "rank")


class Tune(Strict):
    """Weights that give the best metric on a split's judgements: all on a grid are tried, of equals the most even."""

    split: Name = Field("dev", description="of the dataset that is ranked; no table may then be on it")
    metric: Quality = Field("MRR@10", description="that is to be best")
    steps: Count = Field(10, description="weights are multiples of 1 / steps and sum to 1")


class Fusion(Ranker):
    """Several rankers made one."""

    resources: ClassVar[dict[str, Resources]] = {
        "index": Resources(mem_mb=4000, runtime=60),
        "rank": Resources(mem_mb=4000, runtime=60),
        "latency": Resources(mem_mb=32_000, runtime=120, threads="all", gpu=1),
    }

    kind: Literal["fusion"]
    of: Annotated[list[Label], Names("rankers"), Once] = Field(min_length=2, description="the rankers")
    method: Annotated[Literal["reciprocal_rank", "weighted"], SHARE] = Field(
        "reciprocal_rank", description="sum of w / (k + rank), or of w times the scaled score"
    )
    weights: Annotated[list[float] | None, For("rank")] = Field(None, description="one a ranker; all 1 when left out")
    tune: Annotated[Tune | None, For("index")] = Field(
        None, description="weights chosen on a split, in place of `weights`"
    )
    scale: Annotated[Literal["min-max", "z"], SHARE] = Field(
        "min-max",
        description="of weighted: a query's scores, less its lowest, over max - min or over σ; 0 where not found",
    )
    k: Annotated[Count, SHARE] = Field(60, description="of reciprocal_rank")

    @model_validator(mode="after")
    def one_weight_a_ranker(self):
        if self.weights is not None and len(self.weights) != len(self.of):
            raise ValueError(f"{len(self.weights)} weights for {len(self.of)} rankers")
        if self.weights is not None and not (min(self.weights) >= 0 < max(self.weights)):
            raise ValueError("weights are 0 or more, and one at least is more")
        return self

    @model_validator(mode="after")
    def weights_or_tune(self):
        if self.tune and self.weights:
            raise ValueError("weights are given or tuned, not both; leave one out")
        tried = comb(self.tune.steps + len(self.of) - 1, len(self.of) - 1) if self.tune else 0
        if tried > MOST_TRIED:
            raise ValueError(f"tune has {tried:,} weights to try, at most {MOST_TRIED:,}; take fewer steps or rankers")
        return self

    def function(self, stage: str) -> str | None:
        """Weights that the study says need no tuning."""
        return None if stage == "index" and not self.tune else super().function(stage)

    def settings(self, *stages: str) -> dict[str, Any]:
        """Without what the method does not use, and without weights where they are tuned."""
        unused = {"scale" if self.method == "reciprocal_rank" else "k"} | ({"weights"} if self.tune else set())
        return {key: value for key, value in super().settings(*stages).items() if key not in unused}

    def index_settings(self, config) -> dict[str, Any]:
        settings = self.settings("index")
        return settings | settings.pop("tune")

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        settings = self.settings("rank")
        return settings if self.tune else settings | {"weights": self.weights or [1.0] * len(self.of)}

    def index_inputs(self, graph, name: str, dataset: str) -> Inputs:
        runs = [graph.run(part, dataset, self.tune.split) for part in self.of]
        return {"dataset": [graph.dataset(dataset)], "runs": runs}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        tuned = [graph.index(name, dataset)] if self.tune else []
        return {"runs": [graph.run(part, dataset, split) for part in self.of], "tuned": tuned}

    def live_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return {"tuned": [graph.index(name, dataset)] if self.tune else []}

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        return super().latency_settings(graph, split) | self.rank_settings(graph, split)

    def asks(self, dataset: str, split: str) -> Iterator[tuple[str, str, str]]:
        for on in dict.fromkeys([split, self.tune.split] if self.tune else [split]):
            yield from ((part, dataset, on) for part in self.of)

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.tune and (entry(self.tune.metric)[1] or 0) > self.depth:
            yield "tune.metric", f"{self.tune.metric}, but depth is {self.depth}"

    def check_on(self, study, name: str, dataset: str, split: str, shown: bool) -> Iterator[tuple[str, str]]:
        if self.tune:
            if wrong := study.lacks_split(dataset, self.tune.split):
                yield "tune.split", wrong
            if shown and self.tune.split == split:
                tuned = f"the weights of ranker '{name}' are tuned on {dataset}/{split} itself"
                yield "", f"{tuned}; tune them on another split"

    def small(self) -> dict[str, Any]:
        return {"tune": self.tune and self.tune.model_copy(update={"steps": min(self.tune.steps, 2)})}

    def built(self, facts: dict[str, Any], dataset: str) -> str:
        weights = ", ".join(f"{part} {weight:g}" for part, weight in zip(self.of, facts["weights"], strict=True))
        return (
            f"tuned weights {weights} ({self.tune.metric} {facts[self.tune.metric]:.3f} on {dataset}/{self.tune.split})"
        )

    def index_cost(self, sizes, dataset: str):
        return written(sizes.queries(dataset, self.tune.split) * self.depth * self.tune.steps)


def index(artifact: Artifact, settings, dataset: Path, runs: list[Path]) -> None:
    """Tune the weights on a split's judgements: every weights of a grid is tried."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import abreast
    from dewpoint.errors import UserError
    from dewpoint.evaluation.metrics import Judgements
    from dewpoint.evaluation.tuning import grid, tune

    judged = Judgements.of(Dataset(dataset), settings.split, goes_by(settings.metric))
    if not (judged.grade >= judged.relevant).any():
        raise UserError(f"{dataset.parent}: no query of {settings.split} has a positive to tune weights on")
    weights = grid(len(runs), settings.steps)
    values = tune(abreast(runs), judged, weights, settings)
    best = int(values.argmax())
    table = pa.table({"weights": weights, settings.metric: values})
    pq.write_table(table, artifact.path("weights.parquet"), compression="zstd")
    artifact.facts |= {"weights": weights[best], settings.metric: round(float(values[best]), 6), "tried": len(weights)}


def rank(artifact: Artifact, settings, runs: list[Path], tuned: Path | None) -> None:
    from dewpoint.data.runs import RunWriter, abreast
    from dewpoint.search import fusion

    with RunWriter(artifact) as file:
        for block in abreast(runs):
            file.write(fusion.fuse(block, weights_of(settings, tuned), settings))


def latency(artifact: Artifact, settings, dataset: Path, tuned: Path | None, parts: list[Path]) -> None:
    from dewpoint.search.latency import measure

    measure(artifact, settings, dataset, live(settings, tuned, opened(settings.parts, parts)))


def live(settings, tuned: Path | None, parts: list) -> "Live":
    """`parts` are the rankers of `of`, each with the depth that it is asked for."""
    from dewpoint.search import fusion
    from dewpoint.search.live import fused

    return fused(parts, lambda runs: fusion.fuse(runs, weights_of(settings, tuned), settings))


def weights_of(settings, tuned: Path | None) -> list[float]:
    """As they were tuned, or as they are given."""
    return read_manifest(tuned)["facts"]["weights"] if tuned else settings.weights
