"""Measure how alike a run finds the texts of a split's examples."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import read_run
from dewpoint.evaluation.examples import measured
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, dataset: Path, run: Path) -> None:
    """Each example counts as a query; only some metrics have a value for each."""
    values, each = measured(read_run(run), Dataset(dataset), settings.split, settings.metrics)
    each.reset_index().to_parquet(artifact.beside(".parquet"), index=False)
    artifact.facts |= {"metrics": {name: round(value, 6) for name, value in values.items()}, "queries": len(each)}


if __name__ == "__main__":
    run(main)
