"""How vectors lie: how long they are, how alike, in how many directions; and how unevenly a run takes passages.

Vectors are streamed once, in blocks of so many rows, so that sums do not depend on shards.
"""

from dataclasses import dataclass

import numpy as np

from dewpoint.data.runs import Run
from dewpoint.progress import Progress
from dewpoint.search.vectors import Vectors

BLOCK = 8192  # vectors in float64 at once
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass
class Spread:
    """Of all vectors of a part."""

    norms: np.ndarray  # float32 [rows]
    cosine: float  # of two different vectors, the mean over all pairs; those of length 0 have none
    variances: np.ndarray  # in the directions of the covariance's eigenvectors, the largest first

    @property
    def lengths(self) -> dict[str, float]:
        norms = self.norms.astype(np.float64)
        found = {"norm": float(norms.mean()), "norm_sd": float(norms.std())}
        return found | {
            f"norm_{q:.0%}": float(value) for q, value in zip(QUANTILES, np.quantile(norms, QUANTILES), strict=True)
        }

    @property
    def shares(self) -> np.ndarray:
        """Of the variance, by direction."""
        return self.variances / (self.variances.sum() or 1)

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the shares."""
        shares = self.shares[self.shares > 0]
        return float(np.exp(-(shares * np.log(shares)).sum()))

    @property
    def participation_ratio(self) -> float:
        """(sum of variances)² / sum of their squares."""
        return float(self.variances.sum() ** 2 / ((self.variances**2).sum() or 1))


def spread(vectors: Vectors) -> Spread:
    """The mean cosine of all pairs is had from the sum of unit vectors: (|Σu|² - n) / (n (n - 1))."""
    size = vectors.dimension
    units, sums, products = np.zeros(size), np.zeros(size), np.zeros((size, size))
    norms, centre, progress = np.empty(len(vectors), np.float32), None, Progress(len(vectors), "vectors")
    for first, block in vectors.blocks(BLOCK):
        block = block.astype(np.float64)
        length = np.linalg.norm(block, axis=1)
        norms[first : first + len(block)] = length
        units += (block[length > 0] / length[length > 0, None]).sum(0)
        centre = block.mean(0) if centre is None else centre
        block -= centre  # about the mean: sums of squares far from it would lose digits
        sums += block.sum(0)
        products += block.T @ block
        progress.add(len(block))
    count, pointing = len(vectors), int((norms > 0).sum())
    mean = sums / count
    variances = np.linalg.eigvalsh(products / count - np.outer(mean, mean))[::-1]
    cosine = float((units @ units - pointing) / (pointing * (pointing - 1))) if pointing > 1 else float("nan")
    return Spread(norms, cosine, np.maximum(variances, 0))


def occurrences(run: Run, k: int, passages: int) -> np.ndarray:
    """N_k of each passage: in how many queries' first k it is."""
    return np.bincount(run.passage[run.rank <= k], minlength=passages)


def hubness(counts: np.ndarray) -> dict[str, float]:
    """Skewness E[(N - μ)³] / σ³ of N_k, the share of passages that are ever found, the Gini coefficient of N_k."""
    values = counts.astype(np.float64)
    away = values - values.mean()
    sd = np.sqrt((away**2).mean())
    found = {"skewness": float((away**3).mean() / sd**3) if sd else 0.0, "found": float((counts > 0).mean())}
    ranks = np.arange(1, len(values) + 1)
    gini = 2 * (ranks * np.sort(values)).sum() / (len(values) * (values.sum() or 1)) - (len(values) + 1) / len(values)
    return found | {"gini": float(gini) if values.any() else 0.0, "most": int(counts.max())}


def concentration(counts: np.ndarray, points: int = 60) -> list[tuple[float, float]]:
    """(share of all passages, those found most often first; share of all places that they take)."""
    taken = np.cumsum(np.sort(counts)[::-1])
    at = np.unique(np.geomspace(1, len(counts), points).round().astype(int))
    return [(float(one / len(counts)), float(taken[one - 1] / (taken[-1] or 1))) for one in at]
