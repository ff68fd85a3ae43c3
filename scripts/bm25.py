"""Index a corpus for BM25."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.program import Settings, run
from dewpoint.search import bm25


def main(artifact: Artifact, settings: Settings, dataset: Path) -> None:
    bm25.build(artifact, Dataset(dataset), settings)


if __name__ == "__main__":
    run(main)
