"""Build a FAISS index from the shards of a corpus's embeddings."""

from pathlib import Path

import faiss

from dewpoint.artifact import Artifact, member
from dewpoint.program import run
from dewpoint.search import dense
from dewpoint.search.vectors import read_vectors


def main(artifact: Artifact, embeddings: list[Path]) -> None:
    index = dense.build(read_vectors(member(shard)) for shard in embeddings)
    faiss.write_index(index, str(artifact.path("index.faiss")))
    artifact.facts |= {"passages": index.ntotal, "dimension": index.d}


if __name__ == "__main__":
    run(main)
