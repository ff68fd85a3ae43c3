"""Take a run that others made, a text file with ids, for a split's queries."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.run_files import read_lines
from dewpoint.data.runs import RunWriter
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, dataset: Path, file: Path) -> None:
    with RunWriter(artifact) as written:
        for block in read_lines(file, Dataset(dataset), settings.split, settings.depth):
            written.write(block)


if __name__ == "__main__":
    run(main)
