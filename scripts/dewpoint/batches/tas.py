"""`tas`: queries that lie together, by topic-aware sampling (Hofstätter et al. 2021).

Clusters of the training queries are drawn, from each as many queries, for each query one of its positives and its
negatives at random. What a cluster smaller than its share lacks comes from further clusters, drawn alike.
"""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dewpoint.batches._clustered import ByClusters, compose

if TYPE_CHECKING:
    import numpy as np

    from dewpoint.data.clustered import Clustered


class Tas(ByClusters):
    """Queries of the same topics, by clusters of their vectors."""

    cites: ClassVar[tuple[str, ...]] = ("hofstatter2021tas",)

    name: Literal["tas"]


def work(queries: "np.ndarray", size: int, seed: int, settings, clusters: Path) -> "Clustered":
    return compose(queries, size, seed, settings, clusters)
