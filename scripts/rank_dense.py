"""Rank passages for a split's queries by the inner product of their vectors."""

from pathlib import Path

from dewpoint.artifact import Artifact, member
from dewpoint.data.runs import write_run
from dewpoint.program import Settings, run
from dewpoint.search import dense
from dewpoint.search.vectors import read_vectors


def main(artifact: Artifact, settings: Settings, queries: Path, index: Path) -> None:
    write_run(artifact, dense.search(dense.load(member(index)), read_vectors(member(queries)), settings.depth))


if __name__ == "__main__":
    run(main)
