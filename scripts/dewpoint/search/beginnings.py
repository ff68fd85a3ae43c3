"""The first dimensions of stored vectors, searched as vectors of their own; nothing is encoded anew."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dewpoint.errors import UserError
from dewpoint.search.vectors import BLOCK, Vectors


def shortened(vectors: np.ndarray, size: int | None, normalize: bool) -> np.ndarray:
    """float32, the first `size` dimensions, where wanted of length one again; without a size all as they are."""
    if size is None:
        return vectors
    made = vectors[:, :size].astype(np.float32)
    if normalize:
        lengths = np.sqrt(np.einsum("ij,ij->i", made, made, dtype=np.float64))
        made /= np.maximum(lengths, 1e-12)[:, None].astype(np.float32)
    return made


@dataclass
class Beginnings:
    """Vectors of one part of a dataset, the first `size` dimensions of each; the whole ones when it is None."""

    whole: Vectors
    size: int | None = None
    normalize: bool = False

    def __post_init__(self):
        self.model, self.manifests = self.whole.model, self.whole.manifests
        self.dimension = self.size or self.whole.dimension
        self.shown: tuple[int, np.ndarray] | None = None  # what was given last: (first row, whole vectors)
        if self.dimension > self.whole.dimension:
            said = f"{self.manifests[0]}: vectors have {self.whole.dimension} dimensions"
            raise UserError(f"{said}, but the first {self.size} are asked for; take fewer")

    def __len__(self) -> int:
        return len(self.whole)

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, float32 vectors) of consecutive rows, good until others are asked for."""
        for first, vectors in self.whole.blocks(size or max(1, BLOCK // (4 * self.whole.dimension))):
            self.shown = first, vectors
            yield first, shortened(vectors, self.size, self.normalize)
