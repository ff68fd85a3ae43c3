"""Rank passages for a split's queries by BM25."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import write_run
from dewpoint.program import Settings, run
from dewpoint.search import bm25


def main(artifact: Artifact, settings: Settings, dataset: Path, index: Path) -> None:
    queries = Dataset(dataset).column(f"queries.{settings.split}", "text").to_pylist()
    write_run(artifact, bm25.search(bm25.load(index.parent), queries, settings.depth))


if __name__ == "__main__":
    run(main)
