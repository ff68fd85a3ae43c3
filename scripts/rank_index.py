"""Rank passages for a split's queries by an approximate index of their vectors."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.runs import RunWriter
from dewpoint.program import Settings, run
from dewpoint.search.indexes import Searcher
from dewpoint.search.vectors import Vectors


def main(artifact: Artifact, settings: Settings, queries: Path, index: Path) -> None:
    with RunWriter(artifact) as file:
        for found in Searcher(index, vars(settings.parameters)).runs(Vectors([queries]), settings.depth):
            file.write(found)


if __name__ == "__main__":
    run(main)
