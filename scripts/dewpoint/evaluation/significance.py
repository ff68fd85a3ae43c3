"""Is one ranker better than another, or is it the choice of queries? Tests on the per-query values of a metric."""

from collections import defaultdict

import numpy as np
import pandas as pd
from scipy.special import stdtr

RESAMPLES = 10_000
LEVEL = 0.95  # of intervals
DRAWN = 2**21  # queries of resamples held at once
ROUNDING = 1e-12  # equal but for it is equal


def compare(values: dict[str, pd.DataFrame], baseline: str, seed: int) -> pd.DataFrame:
    """Each ranker against the baseline on each metric; of each ranker one row a query, one column a metric.

    A metric is compared on the queries that count for it, the same resamples of them for all rankers. A single query
    says nothing of chance: there is no interval then, and no p.
    """
    counted = defaultdict(list)
    for metric, column in values[baseline].items():
        counted[column.notna().to_numpy().tobytes()].append(metric)
    parts = []
    for metrics in counted.values():
        of = {ranker: frame[metrics].dropna() for ranker, frame in values.items()}
        difference = pd.concat({name: of[name] - of[baseline] for name in of if name != baseline}, axis=1)
        low, high, bootstrap = resampled(difference.to_numpy(), seed)
        t = t_test(difference.to_numpy())
        if len(difference) < 2:
            low = high = bootstrap = t = np.full(len(low), np.nan)
        means = pd.DataFrame({name: frame.mean() for name, frame in of.items()})
        parts.append(
            pd.DataFrame(
                {
                    "ranker": difference.columns.get_level_values(0),
                    "metric": difference.columns.get_level_values(1),
                    "queries": len(difference),
                    "baseline": [means.at[metric, baseline] for _, metric in difference],
                    "mean": [means.at[metric, name] for name, metric in difference],
                    "difference": difference.mean().to_numpy(),
                    "low": low,
                    "high": high,
                    "t_test": t,
                    "bootstrap": bootstrap,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def t_test(differences: np.ndarray) -> np.ndarray:
    """Student's paired t-test, two-sided: p of each column of differences [queries, columns]; 1 where all are 0."""
    queries = len(differences)
    if queries < 2:
        return np.ones(differences.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = differences.mean(0) / (differences.std(0, ddof=1) / np.sqrt(queries))
    return np.nan_to_num(2 * stdtr(queries - 1, -np.abs(t)), nan=1.0)


def resampled(differences: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(low, high, p) of each column by the paired bootstrap: means of as many queries, drawn with replacement.

    The interval is between percentiles of these means. The two-sided p shifts them to where the mean is 0: how often
    are they as far from the mean as the mean is from 0, one time more than was counted.
    """
    queries, mean = len(differences), differences.mean(0)
    means, random = np.empty((RESAMPLES, len(mean))), np.random.default_rng(seed)
    block = max(1, DRAWN // queries)
    for first in range(0, RESAMPLES, block):
        count = min(block, RESAMPLES - first)
        drawn = random.integers(queries, size=(count, queries)) + queries * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * queries).reshape(count, queries)
        means[first : first + count] = times.astype(float) @ differences / queries
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    far = np.abs(means - mean) >= np.abs(mean) - ROUNDING
    return low, high, (1 + far.sum(0)) / (1 + RESAMPLES)


def holm(p: np.ndarray) -> np.ndarray:
    """p corrected for being one of many (Holm): the smallest counts as often as there are, the next once less, …

    Where there is no p nothing was tested, and none is counted.
    """
    order = np.argsort(p)  # what is nan comes last
    counts = np.maximum(np.arange(np.count_nonzero(~np.isnan(p)), -np.count_nonzero(np.isnan(p)), -1), 1)
    corrected = np.maximum.accumulate(p[order] * counts).clip(max=1)
    return corrected[np.argsort(order)]
