"""What a ranker costs on a dataset: time and room, from the manifests of what it is made of."""

from pathlib import Path

import pandas as pd

from dewpoint.artifact import Artifact
from dewpoint.evaluation.costs import Spent, costs
from dewpoint.program import run


def main(artifact: Artifact, models: list[Path], vectors: list[Path], derived: list[Path], indexes: list[Path]) -> None:
    found = costs(Spent.of(models, vectors, derived, indexes))
    artifact.facts["metrics"] = {name: value for name, value in found.items() if value is not None}
    values = pd.DataFrame({"metric": [*found], "value": [*found.values()]}).astype({"value": float})
    values.to_parquet(artifact.beside(".parquet"), index=False)


if __name__ == "__main__":
    run(main)
