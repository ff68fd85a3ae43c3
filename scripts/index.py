"""Build an approximate index from the shards of a corpus's embeddings."""

import time
from pathlib import Path

import faiss

from dewpoint.artifact import Artifact
from dewpoint.program import Settings, run
from dewpoint.search import indexes
from dewpoint.search.vectors import Vectors


def main(artifact: Artifact, settings: Settings, corpus: list[Path]) -> None:
    began, path = time.monotonic(), artifact.path("index.faiss")
    index, facts = indexes.build(Vectors(corpus), settings.index, settings.seed)
    faiss.write_index(index, str(path))
    artifact.facts |= facts | {"bytes": path.stat().st_size, "seconds": round(time.monotonic() - began, 2)}


if __name__ == "__main__":
    run(main)
