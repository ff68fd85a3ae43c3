"""`tas-balanced`: queries that lie together, their negatives balanced by the teacher's margins.

As `tas`, but a query's pair (p+, p-) is drawn so (Hofstätter et al. 2021): t(p+) - t(p-) of all its pairs is cut into
equal ranges from the least to the greatest; a range is drawn of those that are not empty, and a pair that lies in it.
Where a query has more negatives in a batch they are drawn alike from the other pairs of the same positive. What follows
when an empty range is drawn the paper leaves open.
"""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from dewpoint.batches._clustered import ByClusters, compose
from dewpoint.study.types import Count

if TYPE_CHECKING:
    import numpy as np

    from dewpoint.data.clustered import Clustered


class TasBalanced(ByClusters):
    """Queries of the same topics, with negatives of all the teacher's margins."""

    needs_teacher: ClassVar[bool] = True
    cites: ClassVar[tuple[str, ...]] = ("hofstatter2021tas",)

    name: Literal["tas-balanced"]
    bins: Count = Field(10, description="equal ranges of a query's margins")


def work(queries: "np.ndarray", size: int, seed: int, settings, clusters: Path) -> "Clustered":
    return compose(queries, size, seed, settings, clusters, settings.bins)
