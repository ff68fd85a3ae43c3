"""Fuse the runs of several rankers into one, by weights as they are given or as they were tuned."""

from pathlib import Path

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.runs import RunWriter, abreast
from dewpoint.program import Settings, run
from dewpoint.search import fusion


def main(artifact: Artifact, settings: Settings, runs: list[Path], tuned: Path | None) -> None:
    weights = read_manifest(tuned)["facts"]["weights"] if tuned else settings.weights
    with RunWriter(artifact) as file:
        for block in abreast(runs):
            file.write(fusion.fuse(block, weights, settings))


if __name__ == "__main__":
    run(main)
