"""Indexes that keep a code of each passage and look at all of them: in two bytes a dimension, one, or a bit.

    p ≈ c + s ∘ code,    q·p ≈ q·c + (q ∘ s)·code        c, s [dimension]; the query stays in float32

`int8`: codes are the integers from -127 to 127, which c and s spread from the least to the most that any passage has
in a dimension. `bits`: codes are +1 above the mean of a dimension and -1 else; c + s and c - s are the means of the
passages on the two sides, so that of such values the squared error is least. `float16` and `flat`, in float32, have no
c and s. These are found from all passages, so nothing depends on a seed.
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

MOST = 127  # of an int8's code
BYTE = 8  # bits
INDEX, LEVELS = "index.faiss", "levels.npy"
LEVELLED = ("int8", "bits")  # with c and s
NAMES = ("flat", "float16", *LEVELLED)

Blocks = Callable[[], Iterator[tuple[int, np.ndarray]]]


# --- built --------------------------------------------------------------------------------------


def write(place: Callable[[str], Path], corpus, name: str) -> int:
    """Codes of all passages, with c and s, to the files that `place` gives a path for; how many bytes they are."""
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
    dimension, product = corpus.dimension, faiss.METRIC_INNER_PRODUCT
    match name:
        case "flat":
            return faiss.IndexFlatIP(dimension), None, np.asarray
        case "float16":
            return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, product), None, np.asarray
        case "int8":
            centre, step = levels = spread(corpus.blocks)
            index = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit_direct_signed, product)
            return index, levels, lambda block: integers(block, centre, step)
        case "bits":
            mean, levels = sides(corpus.blocks, len(corpus))
            return signs(dimension), levels, lambda block: bits(block, mean)


def add(index: faiss.Index, codes: np.ndarray) -> None:
    """Codes that are bytes already go in as they are."""
    index.add_sa_codes(codes) if codes.dtype == np.uint8 else index.add(codes)


def spread(blocks: Blocks) -> np.ndarray:
    """(c, s) that spread -127 … 127 from the least to the most of each dimension."""
    ends = np.stack([(block.min(0), block.max(0)) for _, block in blocks()]).astype(np.float64)
    least, most = ends[:, 0].min(0), ends[:, 1].max(0)
    return np.stack([(most + least) / 2, (most - least) / (2 * MOST)]).astype(np.float32)


def integers(block: np.ndarray, centre: np.ndarray, step: np.ndarray) -> np.ndarray:
    """float32 of whole numbers, as FAISS takes them."""
    return np.rint((block - centre) / np.where(step > 0, step, 1)).clip(-MOST, MOST)


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
        self.levels = np.load(member(manifest, LEVELS)) if facts["codes"] in LEVELLED else None

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
