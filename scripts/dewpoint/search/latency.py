"""How long a ranker takes to answer batches of queries: encoding, search, what else it does, and all together."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.progress import Progress
from dewpoint.search.live import Live

WARM = 3  # batches that do not count


def measure(artifact: Artifact, settings, dataset: Path, rank: Live) -> None:
    texts = Dataset(dataset).column(f"queries.{settings.split}", "text").to_pylist()
    order = np.random.default_rng(settings.seed).permutation(len(texts))
    batches = {int(size): times for size, times in vars(settings.batches).items()}  # queries at once: how often
    rows, progress = [], Progress(sum(batches.values()), "batches", rate="queries")
    asked = 0
    for size, times in batches.items():
        for number in range(-WARM, times):
            questions = [texts[order[at % len(texts)]] for at in range(asked, asked + size)]
            asked += size
            began = time.perf_counter()
            _, parts = rank(questions, settings.depth)
            if number >= 0:
                rows.append({"batch": size, "total": time.perf_counter() - began, **parts})
                progress.add(1, size)
    seconds = pd.DataFrame(rows)
    seconds.to_parquet(artifact.beside(".parquet"), index=False)
    artifact.facts |= {
        "milliseconds": {str(size): summary(of.drop(columns="batch")) for size, of in seconds.groupby("batch")},
        "batches": {str(size): times for size, times in batches.items()},
    }


def summary(seconds: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Mean, standard deviation and 99th percentile of each part, in milliseconds."""
    times = {"mean": seconds.mean(), "sd": seconds.std(), "p99": seconds.quantile(0.99)}
    return {part: {what: round(1000 * of[part], 4) for what, of in times.items()} for part in seconds}
