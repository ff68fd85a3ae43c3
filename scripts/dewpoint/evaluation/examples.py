"""A run over examples against what is known of these: how alike their texts are."""

import numpy as np
import pandas as pd

from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run
from dewpoint.evaluation.metrics import measure_examples
from dewpoint.evaluation.registry import TRIPLETS, entry


def predicted(run: Run, examples: int) -> np.ndarray:
    """[examples, pairs of texts], as `search/alike.py` numbers them; nan for what the run lacks."""
    found = np.full((examples, 1 + int(run.passage.max(initial=0))), np.nan)
    found[run.query, run.passage] = run.score
    return found


def measured(run: Run, dataset: Dataset, split: str, metrics: list[str]) -> tuple[dict[str, float], pd.DataFrame]:
    """(each metric; of each example its own value, where a metric is the mean of such)."""
    count = dataset.rows(f"examples.{split}")
    alike = predicted(run, count)
    values = measure_examples(alike, dataset, split, metrics)
    each = {}
    for metric in metrics:
        found, _ = entry(metric)
        if found.by == TRIPLETS:
            each[metric] = [found.value(alike[row : row + 1]) for row in range(count)]
    return values, pd.DataFrame(each, index=pd.RangeIndex(count, name="query"))
