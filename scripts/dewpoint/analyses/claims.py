"""`claims`: what a paper says of its systems, and whether it holds here, tested over queries and seeds."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from dewpoint.analyses._on_split import OnSplit
from dewpoint.artifact import Artifact
from dewpoint.evaluation.costs import is_tested
from dewpoint.evaluation.registry import OF_RUNS, goes_by
from dewpoint.study.bases import Asked
from dewpoint.study.kind import For, Names, Strict
from dewpoint.study.types import Label, Metric, Once

if TYPE_CHECKING:
    from pandas import DataFrame

Rankers = Annotated[list[Label], Names("rankers"), Once]


class Claim(Strict):
    """Some rankers are better than others; several of a side are one system, trained from several seeds."""

    says: str = Field(description="the claim in words")
    paper: str = Field("", description="the paper's figures, or where it says so")
    better: Rankers = Field(min_length=1, description="what is said to be better")
    than: Rankers = Field(min_length=1, description="what it is better than")


class Claims(OnSplit):
    """Claims of papers beside what was measured: the difference, its interval, and whether the claim holds."""

    kind: Literal["claims"]
    metric: Metric = Field(description="what better means: one that each query has")
    claims: Annotated[list[Claim], For()] = Field(min_length=1, description="each with `says`, `better` and `than`")

    @property
    def rankers(self) -> list[str]:
        return [*dict.fromkeys(name for claim in self.claims for name in (*claim.better, *claim.than))]

    def asks(self) -> Iterator[Asked]:
        for ranker in self.rankers:
            yield "on", ranker, *self.on.split("/")

    def work_settings(self, config) -> dict[str, Any]:
        claims = [claim.model_dump() for claim in self.claims]
        more = {"rankers": self.rankers, "split": self.on.split("/")[1], "claims": claims}
        return super().work_settings(config) | more

    def check(self, study) -> Iterator[tuple[str, str]]:
        if wrong := study.lacks_split(*self.on.split("/")):
            yield "on", wrong
        if not is_tested(self.metric) or goes_by(self.metric) not in OF_RUNS:
            yield "metric", f"not each query has a value of {self.metric}, so nothing can be tested by it"
        for number, claim in enumerate(self.claims, 1):
            if both := set(claim.better) & set(claim.than):
                yield "claims", f"claim {number} has '{min(both)}' on both sides"


def work(artifact: Artifact, settings, dataset: Path, runs: list[Path]) -> None:
    import pandas as pd

    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import read_run
    from dewpoint.evaluation.metrics import measure
    from dewpoint.evaluation.significance import holm
    from dewpoint.report.chart import intervals

    data, metric = Dataset(dataset), settings.metric
    measured = {
        ranker: measure(read_run(path), data, settings.split, [metric])[metric]
        for ranker, path in zip(settings.rankers, runs, strict=True)
    }
    values = pd.DataFrame(measured).dropna()  # the queries that count
    sides = [(values[claim.better], values[claim.than]) for claim in settings.claims]
    tests = pd.DataFrame([compared(*both, settings.seed) for both in sides], columns=["difference", "low", "high", "p"])
    tests["p"] = holm(tests["p"].to_numpy())
    holds = list(map(verdict, tests["difference"], tests["p"]))
    words = {
        "claim": [claim.says for claim in settings.claims],
        "paper": [claim.paper for claim in settings.claims],
        "here": [f"{mean(better)} against {mean(than)}" for better, than in sides],
        "seeds": [seeds(*both) for both in sides],
    }
    found = pd.DataFrame(words).join(tests).assign(holds=holds)
    found.to_parquet(artifact.path("claims.parquet"), index=False)
    rows = list(found[["claim", "difference", "low", "high"]].itertuples(index=False, name=None))
    artifact.path("claims.svg").write_text(intervals(rows, f"difference in {metric}"), encoding="utf-8")
    artifact.facts |= {"queries": len(values), "holds": holds, "says": said(holds)}


def said(verdicts: list[str]) -> str:
    yes, chance = verdicts.count("yes"), verdicts.count("not beyond chance")
    counts = f"Claims that hold beyond chance: {yes} of {len(verdicts)}; that may be chance: {chance}"
    return f"{counts}; whose reverse holds: {len(verdicts) - yes - chance}."


def compared(better: "DataFrame", than: "DataFrame", seed: int) -> tuple[float, float, float, float]:
    """(difference, low, high, p) of [queries, seeds]."""
    from dewpoint.evaluation.significance import resampled_with_seeds

    better, than = better.to_numpy(), than.to_numpy()
    return better.mean() - than.mean(), *resampled_with_seeds(better, than, seed)


def mean(values: "DataFrame") -> str:
    """Of a metric over the queries; over several seeds the mean of these ± their deviation."""
    means = values.mean()
    return f"{means.mean():.3f}" + (f" ± {means.std():.3f}" if len(means) > 1 else "")


def seeds(better: "DataFrame", than: "DataFrame") -> str:
    """In how many pairs of a seed of either side the first is better; nothing where there is but one."""
    found = [one > other for one in better.mean() for other in than.mean()]
    return f"{sum(found)} of {len(found)}" if len(found) > 1 else ""


def verdict(difference: float, p: float) -> str:
    """p is nan where nothing could be tested, and corrected for the number of claims."""
    from dewpoint.report.tables import CHANCE

    if not p < CHANCE:
        return "not beyond chance"
    return "yes" if difference > 0 else "no, the reverse"
