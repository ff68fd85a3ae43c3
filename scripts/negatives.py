"""Turn runs over the training queries into negatives."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import write_negatives
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, dataset: Path, runs: list[Path], judge: Path | None) -> None:
    write_negatives(artifact, runs, Dataset(dataset), settings, judge)


if __name__ == "__main__":
    run(main)
