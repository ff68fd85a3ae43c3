"""Indexes that keep a code of each passage and look at all of them: in two bytes a dimension, one, or a bit.

    q·p ≈ q·decoded(code)        the query stays in float32

`int8`: a byte says where a passage is between the least and the most that any has in a dimension. `bits`: a bit says
whether it is above the dimension's mean, and stands for the mean of the passages on that side, so that of such values
the squared error is least:  p ≈ c + s ∘ ±1,  q·p ≈ q·c + (q ∘ s)·±1.  `float16` and `flat`, in float32, mean what they
say. What codes mean is found from all passages, so nothing depends on a seed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np

from dewpoint.artifact import member, read_manifest
from dewpoint.data.runs import Run
from dewpoint.progress import Progress
from dewpoint.search.indexes import PIECE, as_run
from dewpoint.search.vectors import BLOCK

BYTE = 8  # bits
INDEX, LEVELS = "index.faiss", "levels.npy"  # c and s of bits
NAMES = ("flat", "float16", "int8", "bits")

Blocks = Callable[[], Iterator[tuple[int, np.ndarray]]]


# --- built --------------------------------------------------------------------------------------


def write(place: Callable[[str], Path], corpus, name: str) -> int:
    """Codes of all passages, and what bits mean, to files that `place` gives a path for; how many bytes they are."""
    index, levels, code = begun(corpus, name)
    progress = Progress(len(corpus), "passages", rate="passages")
    for _, block in corpus.blocks(PIECE):
        add(index, code(block))
        progress.add(len(block))
    files = [place(INDEX)]
    faiss.write_index(index, str(files[0]))
    if levels is not None:
        files.append(place(LEVELS))
        np.save(files[1], levels)
    return sum(file.stat().st_size for file in files)


def begun(corpus, name: str) -> tuple[faiss.Index, np.ndarray | None, Callable[[np.ndarray], np.ndarray]]:
    """(an empty index, (c, s), what makes a code of vectors)."""
    dimension, scalar = corpus.dimension, faiss.ScalarQuantizer
    match name:
        case "flat":
            return faiss.IndexFlatIP(dimension), None, np.asarray
        case "float16":
            return faiss.IndexScalarQuantizer(dimension, scalar.QT_fp16, faiss.METRIC_INNER_PRODUCT), None, np.asarray
        case "int8":
            index = faiss.IndexScalarQuantizer(dimension, scalar.QT_8bit, faiss.METRIC_INNER_PRODUCT)
            faiss.copy_array_to_vector(spread(corpus.blocks), index.sq.trained)
            index.is_trained = True
            return index, None, np.asarray
        case "bits":
            mean, levels = sides(corpus.blocks, len(corpus))
            return signs(dimension), levels, lambda block: bits(block, mean)


def add(index: faiss.Index, codes: np.ndarray) -> None:
    """Codes that are bytes already go in as they are."""
    index.add_sa_codes(codes) if codes.dtype == np.uint8 else index.add(codes)


def spread(blocks: Blocks) -> np.ndarray:
    """The least of each dimension, then how far from it the most is."""
    ends = np.stack([(block.min(0), block.max(0)) for _, block in blocks()])
    least, most = ends[:, 0].min(0), ends[:, 1].max(0)
    return np.concatenate([least, most - least])


def sides(blocks: Blocks, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """(the mean of each dimension, (c, s) so that c ± s are the means above it and not above it)."""
    total = sum(block.sum(0, dtype=np.float64) for _, block in blocks())
    mean = (total / rows).astype(np.float32)
    above, count = np.zeros(len(mean)), np.zeros(len(mean))
    for _, block in blocks():
        is_above = block > mean
        above += np.where(is_above, block, 0).sum(0, dtype=np.float64)
        count += is_above.sum(0)
    low = (total - above) / np.maximum(rows - count, 1)  # the mean has some that are not above it
    high = np.where(count > 0, above / np.maximum(count, 1), low)
    return mean, np.stack([(high + low) / 2, (high - low) / 2]).astype(np.float32)


def bits(block: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.packbits(block > mean, axis=1, bitorder="little")


def signs(dimension: int) -> faiss.IndexPQ:
    """An index of bits: a product quantiser whose words are all patterns of eight signs, so that a byte's bits are its
    own code. FAISS then adds up one product of a table for each byte. Dimensions are filled up to whole bytes."""
    parts = -(-dimension // BYTE)
    index = faiss.IndexPQ(parts * BYTE, parts, BYTE, faiss.METRIC_INNER_PRODUCT)
    patterns = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little") * np.float32(2) - 1
    faiss.copy_array_to_vector(np.tile(patterns.astype(np.float32).ravel(), parts), index.pq.centroids)
    index.is_trained = True
    return index


# --- searched -----------------------------------------------------------------------------------


class Codes:
    """A built index: to be asked for the nearest, or read block by block as vectors that exact search ranks."""

    def __init__(self, manifest: Path):
        facts = read_manifest(manifest)["facts"]
        self.manifests, self.model, self.dimension = [manifest], facts["model"], facts["dimension"]
        self.index = faiss.read_index(str(member(manifest, INDEX)), faiss.IO_FLAG_MMAP_IFC)
        self.levels = np.load(member(manifest, LEVELS)) if facts["codes"] == "bits" else None

    def __len__(self) -> int:
        return self.index.ntotal

    def __call__(self, queries: np.ndarray, depth: int) -> Run:
        """The best passages, in float32: for questions that wait."""
        if self.levels is None:
            score, passage = self.index.search(np.ascontiguousarray(queries), min(depth, len(self)))
            return as_run(passage, score, depth)
        centre, step = self.levels
        asked = np.zeros((len(queries), self.index.d), np.float32)
        asked[:, : self.dimension] = queries * step
        score, passage = self.index.search(asked, min(depth, len(self)))
        return as_run(passage, score + (queries @ centre)[:, None], depth)

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """(first passage, float32 vectors) that the codes stand for."""
        size = size or max(1, BLOCK // (4 * self.index.d))
        for first in range(0, len(self), size):
            vectors = self.index.reconstruct_n(first, min(size, len(self) - first))[:, : self.dimension]
            if self.levels is not None:
                centre, step = self.levels
                vectors = vectors * step
                vectors += centre
            yield first, np.ascontiguousarray(vectors)
