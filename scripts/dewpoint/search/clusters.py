"""Clusters of vectors, by FAISS's k-means: each vector goes to the centroid at the least squared Euclidean distance."""

import faiss
import numpy as np

from dewpoint.errors import UserError
from dewpoint.search.vectors import Vectors


def cluster(vectors: Vectors, clusters: int, iterations: int, seed: int, threads: int) -> tuple[np.ndarray, float]:
    """(the cluster of each vector, the sum of squared distances to the centroids)."""
    if clusters > len(vectors):
        raise UserError(f"clusters: {clusters:,} are wanted of {len(vectors):,} queries; take fewer")
    points, free = vectors.all(), faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)  # sums depend on their number
    try:
        means = faiss.Kmeans(
            vectors.dimension,
            clusters,
            niter=iterations,
            seed=seed % 2**31,
            min_points_per_centroid=1,
            max_points_per_centroid=-(-len(points) // clusters),  # all
        )
        means.train(points)
        distances, nearest = means.index.search(points, 1)
    finally:
        faiss.omp_set_num_threads(free)
    return nearest[:, 0], float(distances.sum(dtype=np.float64))
