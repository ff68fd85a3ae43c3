"""`duot5`: duo-T5, which asks of each two passages which one is more relevant, s(p_i) = Σ_j (p_ij + 1 - p_ji)."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.rankers._judged import Judged
from dewpoint.rankers._parts import opened
from dewpoint.study.kind import For
from dewpoint.study.types import Count

if TYPE_CHECKING:
    from dewpoint.search.live import Live


HERE = For("rank", "latency")


class DuoT5(Judged):
    """Another ranker's first passages in the order in which a T5 prefers them, each compared with each."""

    asked_about: ClassVar[int] = 2
    cites: ClassVar[tuple[str, ...]] = ("pradeep2021duot5",)

    kind: Literal["duot5"]
    top: Annotated[Count, HERE] = Field(
        50, description="passages of a query that are compared; the rest follow in their order"
    )
    aggregate: Annotated[Literal["sym-sum", "sum"], HERE] = Field(
        "sym-sum", description="sum over j of p_ij + 1 - p_ji, or of p_ij"
    )


def rank(artifact: Artifact, settings, dataset: Path, run: Path, model: Path) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.search.judging import read_judge
    from dewpoint.search.reordering import reorder

    score = partial(read_judge(model, settings).duo_each, aggregate=settings.aggregate)
    reorder(artifact, Dataset(dataset), run, settings, score, few=1)


def latency(artifact: Artifact, settings, dataset: Path, model: Path, parts: list[Path]) -> None:
    from dewpoint.search.latency import measure

    measure(artifact, settings, dataset, live(settings, dataset, model, opened(settings.parts, parts)))


def live(settings, dataset: Path, model: Path, parts: list) -> "Live":
    """`parts` is the ranker of `of`, with the depth that it is asked for."""
    from dewpoint.data.dataset import Dataset
    from dewpoint.search import reordering
    from dewpoint.search.judging import read_judge

    score = partial(read_judge(model, settings).duo_each, aggregate=settings.aggregate)
    return reordering.live(Dataset(dataset), settings, *parts[0], score)
