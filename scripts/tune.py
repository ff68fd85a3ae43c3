"""Tune the weights of a fusion on a split's judgements: every weights of a grid is tried."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import abreast
from dewpoint.errors import UserError
from dewpoint.evaluation.metrics import Judgements
from dewpoint.evaluation.registry import goes_by
from dewpoint.evaluation.tuning import grid, tune
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, dataset: Path, runs: list[Path]) -> None:
    judged = Judgements.of(Dataset(dataset), settings.split, goes_by(settings.metric))
    if not (judged.grade >= judged.relevant).any():
        raise UserError(f"{dataset.parent}: no query of {settings.split} has a positive to tune weights on")
    weights = grid(len(runs), settings.steps)
    values = tune(abreast(runs), judged, weights, settings)
    best = int(values.argmax())
    table = pa.table({"weights": weights, settings.metric: values})
    pq.write_table(table, artifact.beside(".parquet"), compression="zstd")
    artifact.facts |= {"weights": weights[best], settings.metric: round(float(values[best]), 6), "tried": len(weights)}


if __name__ == "__main__":
    run(main)
