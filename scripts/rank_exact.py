"""Rank all passages for a split's queries by the inner product of their vectors."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.runs import RunWriter
from dewpoint.program import Settings, run
from dewpoint.search import exact
from dewpoint.search.vectors import Vectors


def main(artifact: Artifact, settings: Settings, queries: Path, corpus: list[Path]) -> None:
    with RunWriter(artifact) as file:
        for found in exact.search(Vectors([queries]), Vectors(corpus), settings.depth):
            file.write(found)


if __name__ == "__main__":
    run(main)
