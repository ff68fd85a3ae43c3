"""Queries in the clusters of their vectors: where they lie in a plane, and what a cluster is about."""

import re
from collections import Counter

import numpy as np

from dewpoint.search.vectors import Vectors

BLOCK = 8192  # vectors in float64 at once
WORD = re.compile(r"\w+")


def plane(vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """(float32 [rows, 2], shares of the variance): the two directions in which the vectors differ most.

    The eigenvectors of the covariance, the greatest part of each positive.
    """
    blocks = [block.astype(np.float64).sum(0) for _, block in vectors.blocks(BLOCK)]
    mean, products = np.sum(blocks, axis=0) / len(vectors), np.zeros((vectors.dimension, vectors.dimension))
    for _, block in vectors.blocks(BLOCK):
        centred = block - mean
        products += centred.T @ centred
    directions, variances, _ = np.linalg.svd(products)
    axes = directions[:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), range(axes.shape[1])])
    axes = np.pad(axes, [(0, 0), (0, 2 - axes.shape[1])])  # vectors of one dimension lie in a line
    places = np.empty((len(vectors), 2), np.float32)
    for first, block in vectors.blocks(BLOCK):
        places[first : first + len(block)] = (block - mean) @ axes
    return places, np.pad(variances, (0, 1))[:2] / (variances.sum() or 1)


def nearest(vectors: Vectors, cluster: np.ndarray, wanted: list[int], count: int) -> list[list[int]]:
    """The rows of each wanted cluster that lie nearest to its centroid."""
    own = {one: np.flatnonzero(cluster == one) for one in wanted}
    held = {one: np.empty((len(rows), vectors.dimension)) for one, rows in own.items()}
    for first, block in vectors.blocks(BLOCK):
        for one, rows in own.items():
            begin, end = np.searchsorted(rows, [first, first + len(block)])
            held[one][begin:end] = block[rows[begin:end] - first]
    found = []
    for one, rows in own.items():
        away = ((held[one] - held[one].mean(0)) ** 2).sum(1)
        found.append(rows[np.argsort(away, kind="stable")[:count]].tolist())
    return found


def telling_words(texts: list[str], cluster: np.ndarray, wanted: list[int], count: int) -> list[list[str]]:
    """Of each wanted cluster the words that are more frequent in its queries than in all: most p log(p / p_all).

    p is the share of queries with the word, in the cluster and in all; of equals the first by letters.
    """
    of_all: Counter[str] = Counter()
    own: dict[int, Counter[str]] = {one: Counter() for one in wanted}
    for text, one in zip(texts, cluster.tolist(), strict=True):
        words = set(WORD.findall(text.lower()))
        of_all.update(words)
        if one in own:
            own[one].update(words)
    sizes, found = np.bincount(cluster, minlength=max(wanted, default=0) + 1), []
    for one, counts in own.items():
        shares = {word: (times / sizes[one], of_all[word] / len(texts)) for word, times in counts.items()}
        tells = {word: share * np.log(share / overall) for word, (share, overall) in shares.items()}
        found.append(sorted(tells, key=lambda word, tells=tells: (-tells[word], word))[:count])
    return found
