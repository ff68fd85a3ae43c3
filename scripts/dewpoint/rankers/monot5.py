"""`monot5`: mono-T5, which asks of each passage whether it is relevant, s(q, p) = log P(true)."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dewpoint.artifact import Artifact
from dewpoint.rankers._judged import Judged
from dewpoint.rankers._parts import opened

if TYPE_CHECKING:
    from dewpoint.search.live import Live


class MonoT5(Judged):
    """Another ranker's passages in the order in which a T5 finds them relevant, one by one."""

    cites: ClassVar[tuple[str, ...]] = ("nogueira2020monot5",)

    kind: Literal["monot5"]


def rank(artifact: Artifact, settings, dataset: Path, run: Path, model: Path) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.search.judging import read_judge
    from dewpoint.search.reordering import reorder

    reorder(artifact, Dataset(dataset), run, settings, read_judge(model, settings).mono_each)


def latency(artifact: Artifact, settings, dataset: Path, model: Path, parts: list[Path]) -> None:
    from dewpoint.search.latency import measure

    measure(artifact, settings, dataset, live(settings, dataset, model, opened(settings.parts, parts)))


def live(settings, dataset: Path, model: Path, parts: list) -> "Live":
    """`parts` is the ranker of `of`, with the depth that it is asked for."""
    from dewpoint.data.dataset import Dataset
    from dewpoint.search import reordering
    from dewpoint.search.judging import read_judge

    return reordering.live(Dataset(dataset), settings, *parts[0], read_judge(model, settings).mono_each)
