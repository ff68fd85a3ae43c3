"""Take a list that comes with a dataset as the run of a split: in its order, the score is the rank's negative."""

from pathlib import Path

import numpy as np

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run, write_run
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, dataset: Path) -> None:
    query, passage = Dataset(dataset).listed(settings.list, settings.split)
    rank = Run(query, passage, np.zeros(0)).rank
    kept = rank <= settings.depth
    write_run(artifact, Run(query[kept], passage[kept], -rank[kept].astype(np.float32)))


if __name__ == "__main__":
    run(main)
