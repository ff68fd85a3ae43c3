"""Rank passages for a split's queries by BM25."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import RunWriter
from dewpoint.program import Settings, run
from dewpoint.progress import Progress
from dewpoint.search import bm25


def main(artifact: Artifact, settings: Settings, dataset: Path, index: Path, threads: int) -> None:
    queries, opened = Dataset(dataset).column(f"queries.{settings.split}", "text").to_pylist(), bm25.load(index.parent)
    progress = Progress(len(queries), "queries", rate="queries")
    with RunWriter(artifact) as file:
        for first in range(0, len(queries), bm25.QUERIES):
            block = queries[first : first + bm25.QUERIES]
            file.write(bm25.search(opened, block, settings.depth, threads, first))
            progress.add(len(block))


if __name__ == "__main__":
    run(main)
