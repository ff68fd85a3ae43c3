"""Measure a run against a split's judgements and answers."""

from pathlib import Path

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import read_run
from dewpoint.evaluation.metrics import agreement, measure
from dewpoint.evaluation.registry import TIMES, entry, is_latency
from dewpoint.program import Settings, run


def main(
    artifact: Artifact, settings: Settings, dataset: Path, run: Path, exact: Path | None, latency: Path | None
) -> None:
    found = read_run(run)
    metrics = [metric for metric in settings.metrics if not is_latency(metric)]
    values = measure(found, Dataset(dataset), settings.split, metrics)
    values.reset_index().to_parquet(artifact.beside(".parquet"), index=False)
    artifact.facts |= {"metrics": values.mean().round(6).to_dict(), "queries": len(values)}
    if exact:
        artifact.facts["of_exact"] = agreement(found, read_run(exact), settings.depth)
    if latency:
        measured = read_manifest(latency)["facts"]["milliseconds"]
        artifact.facts["latency"] = measured
        for metric in filter(is_latency, settings.metrics):
            found, size = entry(metric)
            part, what = TIMES[found.name]
            artifact.facts["metrics"][metric] = measured[str(size)].get(part, {what: 0.0})[what]  # no part of it


if __name__ == "__main__":
    run(main)
