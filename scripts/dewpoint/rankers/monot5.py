"""`monot5`: mono-T5, which asks of each passage whether it is relevant, s(q, p) = log P(true)."""

from pathlib import Path
from typing import Literal

from dewpoint.artifact import Artifact
from dewpoint.rankers._judged import Judged


class MonoT5(Judged):
    """Another ranker's passages in the order in which a T5 finds them relevant, one by one."""

    kind: Literal["monot5"]


def rank(artifact: Artifact, settings, dataset: Path, run: Path, model: Path) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.search.judging import read_judge
    from dewpoint.search.reordering import reorder

    reorder(artifact, Dataset(dataset), run, settings, read_judge(model, settings).mono_each)
