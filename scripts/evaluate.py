"""Measure a run against a split's judgements."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import read_run
from dewpoint.evaluation.metrics import evaluate
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, dataset: Path, run: Path) -> None:
    values = evaluate(read_run(run), Dataset(dataset).judgements(settings.split), settings.metrics)
    values.reset_index().to_parquet(artifact.beside(".parquet"), index=False)
    artifact.facts |= {"metrics": values.mean().round(6).to_dict(), "queries": len(values)}


if __name__ == "__main__":
    run(main)
