"""Fuse the runs of several rankers into one."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.runs import read_run, write_run
from dewpoint.program import Settings, run
from dewpoint.search import fusion


def main(artifact: Artifact, settings: Settings, runs: list[Path]) -> None:
    found = [read_run(path) for path in runs]
    if settings.method == "weighted":
        fused = fusion.weighted_score(found, settings.weights, settings.depth)
    else:
        fused = fusion.reciprocal_rank(found, settings.weights, settings.depth, settings.k)
    write_run(artifact, fused)


if __name__ == "__main__":
    run(main)
