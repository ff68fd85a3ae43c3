"""`random`: instances in a fresh random order every epoch."""

from typing import TYPE_CHECKING, Literal

from dewpoint.study.bases import Batches

if TYPE_CHECKING:
    import numpy as np

    from dewpoint.data.streams import Epochs


class Random(Batches):
    """Instances in a fresh random order every epoch."""

    name: Literal["random"]


def work(queries: "np.ndarray", size: int, seed: int, settings) -> "Epochs":
    from dewpoint.data.streams import Epochs

    return Epochs(len(queries), size, seed)
