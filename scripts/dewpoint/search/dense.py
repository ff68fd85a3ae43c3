"""Search by inner product over a FAISS index."""

from collections.abc import Iterable
from pathlib import Path

import faiss
import numpy as np

from dewpoint.data.runs import Run, ranked
from dewpoint.errors import UserError


def build(vectors: Iterable[np.ndarray]) -> faiss.Index:
    """A flat index of the shards' vectors, in order."""
    index = None
    for shard in vectors:
        index = index or faiss.IndexFlatIP(shard.shape[1])
        index.add(shard)
    return index


def load(path: Path) -> faiss.Index:
    return faiss.read_index(str(path))


def search(index: faiss.Index, queries: np.ndarray, depth: int) -> Run:
    """The best `depth` passages of every query vector."""
    if queries.shape[1] != index.d:
        raise UserError(f"query vectors have {queries.shape[1]} dimensions, the index {index.d}; encode with one model")
    depth = min(depth, index.ntotal)
    score, passage = index.search(queries, depth)
    query = np.repeat(np.arange(len(queries)), depth)
    return ranked(query, passage.ravel(), score.ravel(), depth)
