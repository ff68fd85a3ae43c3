"""Time the rankers of a table, which take turns."""

from itertools import accumulate
from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.program import Settings, run
from dewpoint.rankers._parts import opened, wanted
from dewpoint.search.turns import measure


def main(artifact: Artifact, settings: Settings, dataset: Path, parts: list[Path]) -> None:
    """`parts` are the manifests that the rankers need, in their order."""
    ends = [0, *accumulate(map(wanted, settings.rankers))]

    def open(number: int):
        (ranker,) = opened([settings.rankers[number]], parts[ends[number] : ends[number + 1]])
        return ranker

    measure(artifact, settings, dataset, open)


if __name__ == "__main__":
    run(main)
