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
    """(low, high, p) of each column by the paired bootstrap: means of as many queries, drawn with replacement."""
    return _interval(_means(differences, seed), differences.mean(0))


def resampled_with_seeds(better: np.ndarray, than: np.ndarray, seed: int) -> tuple[float, float, float]:
    """(low, high, p) of how far one system is above another, both [queries, seeds that it was trained from].

    Queries are drawn as in `resampled`, and each time as many seeds of either side, so that what chance in training may
    do counts, too. Of n seeds the drawn ones' mean is moved from that of all by √(n / (n-1)), for its variance would
    be too small by that. A single query says nothing of chance: all three are nan.
    """
    if len(better) < 2:
        return (np.nan,) * 3
    random, sides = np.random.default_rng([seed, 1]), []
    for means in np.split(_means(np.hstack([better, than]), seed), [better.shape[1]], axis=1):
        seeds, all_seeds = means.shape[1], means.mean(1)
        drawn = np.take_along_axis(means, random.integers(seeds, size=means.shape), axis=1).mean(1)
        sides.append(all_seeds + (drawn - all_seeds) * np.sqrt(seeds / max(seeds - 1, 1)))
    low, high, p = _interval((sides[0] - sides[1])[:, None], np.array([better.mean() - than.mean()]))
    return low.item(), high.item(), p.item()


def _means(values: np.ndarray, seed: int) -> np.ndarray:
    """Of each column [queries, columns] over resamples of the queries, the same ones for all columns."""
    queries, columns = values.shape
    means, random = np.empty((RESAMPLES, columns)), np.random.default_rng(seed)
    block = max(1, DRAWN // queries)
    for first in range(0, RESAMPLES, block):
        count = min(block, RESAMPLES - first)
        drawn = random.integers(queries, size=(count, queries)) + queries * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * queries).reshape(count, queries)
        means[first : first + count] = times.astype(float) @ values / queries
    return means


def _interval(means: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(low, high, p): between percentiles of resampled means; the two-sided p shifts them to where the mean is 0.

    How often are they as far from the mean as the mean is from 0, one time more than was counted.
    """
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
