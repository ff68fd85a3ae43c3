"""Measure how long a ranker takes to answer: batches of 1, 10 and 2,000 queries, encoding, search, and all together."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.program import Settings, run
from dewpoint.progress import Progress
from dewpoint.search import live
from dewpoint.study.grammar import BATCHES

WARM = 3  # batches that do not count


def main(
    artifact: Artifact,
    settings: Settings,
    dataset: Path,
    model: Path | None,
    corpus: list[Path],
    index: Path | None,
) -> None:
    rank = load(settings, model, corpus, index)
    texts = Dataset(dataset).column(f"queries.{settings.split}", "text").to_pylist()
    order = np.random.default_rng(settings.seed).permutation(len(texts))
    rows, progress = [], Progress(sum(BATCHES.values()), "batches", rate="queries")
    asked = 0
    for size, times in BATCHES.items():
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
        "batches": {str(size): times for size, times in BATCHES.items()},
    }


def load(settings: Settings, model: Path | None, corpus: list[Path], index: Path | None) -> live.Ranker:
    if not model:
        return live.bm25_ranker(index)
    from dewpoint.models.device import take_device

    parameters = vars(settings.parameters)
    return live.dense_ranker(model, corpus, index, parameters, settings, settings.precision, take_device())


def summary(seconds: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Mean, standard deviation and 99th percentile of each part, in milliseconds."""
    times = {"mean": seconds.mean(), "sd": seconds.std(), "p99": seconds.quantile(0.99)}
    return {part: {what: round(1000 * of[part], 4) for what, of in times.items()} for part in seconds}


if __name__ == "__main__":
    run(main)
