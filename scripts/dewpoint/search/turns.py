"""How long several rankers take to answer batches of queries, measured in turns, so that what else a machine does, and
how warm it is, meets them all alike.

In a turn each ranker is opened, asked all questions once so that what it reads from disk is in memory, and asked them
again; that counts. Each turn has other questions, the same for all rankers. Of the turns' values medians are taken.
"""

import gc
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.progress import Progress
from dewpoint.search.latency import summary
from dewpoint.search.live import Live


def order(turns: int, rankers: int) -> Iterator[tuple[int, int]]:
    """(turn, ranker): every ranker once in each turn, in the same order, so that no two of its times are near."""
    return product(range(turns), range(rankers))


def measure(artifact: Artifact, settings, dataset: Path, open: Callable[[int], tuple[Live, int]]) -> None:
    """`open` gives the ranker of a number, and the depth that it is asked for."""
    texts = Dataset(dataset).column(f"queries.{settings.split}", "text").to_pylist()
    batches = {int(size): times for size, times in vars(settings.batches).items()}  # queries at once: how often
    rows, progress = [], Progress(settings.turns * len(settings.rankers), "measurements", rate="rankers")
    for turn, number in order(settings.turns, len(settings.rankers)):
        rank, depth = open(number)
        asked = questions(texts, batches, settings.seed, turn)
        for _ in answered(rank, depth, asked):
            pass
        rows += [
            {"turn": turn, "ranker": settings.rankers[number].name, **took} for took in answered(rank, depth, asked)
        ]
        del rank
        gc.collect()  # its index may be as large as memory
        progress.add(1)
    seconds = pd.DataFrame(rows)
    seconds.to_parquet(artifact.beside(".parquet"), index=False)
    artifact.facts |= {
        "milliseconds": {ranker: medians(of.drop(columns="ranker")) for ranker, of in seconds.groupby("ranker")},
        "turns": settings.turns,
        "batches": {str(size): times for size, times in batches.items()},
    }


def questions(texts: list[str], batches: dict[int, int], seed: int, turn: int) -> list[list[str]]:
    """Batches of a turn: those of the turns before are followed by others, as long as there are any."""
    drawn = np.random.default_rng(seed).permutation(len(texts))
    at = turn * sum(size * times for size, times in batches.items())
    asked = []
    for size, times in batches.items():
        for first in range(at, at + size * times, size):
            asked.append([texts[drawn[row % len(texts)]] for row in range(first, first + size)])
        at += size * times
    return asked


def answered(rank: Live, depth: int, asked: list[list[str]]) -> Iterator[dict[str, float]]:
    """The seconds of each batch, and of the ranker's parts."""
    for batch in asked:
        began = time.perf_counter()
        _, parts = rank(batch, depth)
        yield {"batch": len(batch), "total": time.perf_counter() - began, **parts}


def medians(seconds: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Of a ranker: batch size → part → mean, sd, p99 in milliseconds, each the median of its values in the turns."""
    found = {}
    for size, of_size in seconds.dropna(axis=1, how="all").groupby("batch"):
        of_turns = [summary(of.drop(columns=["turn", "batch"])) for _, of in of_size.groupby("turn")]
        found[str(size)] = {
            part: {what: float(np.median([one[part][what] for one in of_turns])) for what in whats}
            for part, whats in of_turns[0].items()
        }
    return found
