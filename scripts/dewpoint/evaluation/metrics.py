"""Metrics of a run, by ir-measures: its vocabulary, per query and on average."""

import numpy as np
import pandas as pd

from dewpoint.data.runs import Run

CUTOFFS = (10, 100, 1000)
NAMES = {"MRR": "RR", "R": "R", "nDCG": "nDCG", "Success": "Success", "P": "P"}


def measure(name: str):
    """`MRR@10`, `R@100`, `nDCG@10`, `Success@20`, `P@5` as an ir-measures measure."""
    import ir_measures

    kind, _, cutoff = name.partition("@")
    return getattr(ir_measures, NAMES[kind]) @ int(cutoff)


def evaluate(run: Run, judged: tuple[np.ndarray, np.ndarray, np.ndarray], metrics: list[str]) -> pd.DataFrame:
    """One row a judged query, one column a metric. A query that the run leaves out counts as zero.

    The score handed on is the negative rank, so that ties stay as the run broke them.
    """
    import ir_measures

    query, passage, grade = judged
    asked = pd.Index(np.unique(query[grade > 0]), name="query")
    if not metrics:
        return pd.DataFrame(index=asked)
    qrels = pd.DataFrame({"query_id": query.astype(str), "doc_id": passage.astype(str), "relevance": grade})
    rank = run.rank
    seen = rank <= max(int(name.split("@")[1]) for name in metrics)
    ids = {"query_id": run.query[seen].astype(str), "doc_id": run.passage[seen].astype(str)}
    found = pd.DataFrame(ids | {"score": -rank[seen]})
    names = {str(measure(name)): name for name in metrics}
    calculated = ir_measures.iter_calc([measure(name) for name in metrics], qrels, found)
    rows = [(int(value.query_id), names[str(value.measure)], value.value) for value in calculated]
    values = pd.DataFrame(rows, columns=["query", "metric", "value"]).pivot(index="query", columns="metric")["value"]
    return values.reindex(index=asked, columns=metrics).fillna(0.0).astype(float).rename_axis(columns=None)


def agreement(run: Run, exact: Run, depth: int) -> dict[str, float]:
    """Which share of exact search's best 10, 100, 1000 passages a run has among as many, as far as it is that deep."""
    bound = 1 + max(int(of.passage.max(initial=0)) for of in (run, exact))
    codes = [of.query.astype(np.int64) * bound + of.passage for of in (run, exact)]
    shares = {}
    for cutoff in (cutoff for cutoff in CUTOFFS if cutoff <= depth):
        ours, theirs = (code[of.rank <= cutoff] for code, of in zip(codes, (run, exact), strict=True))
        shares[str(cutoff)] = round(float(np.isin(theirs, ours, assume_unique=True).mean()), 4)
    return shares


def of_ranks(metric: str, query: np.ndarray, grade: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """The value of a metric for each query, from its positives alone, at least one each; rank 0: not found.

    The same values as `evaluate`'s, for those who measure one query a thousand times.
    """
    kind, _, cutoff = metric.partition("@")
    depth, count = int(cutoff), np.bincount(query)
    seen = (rank > 0) & (rank <= depth)
    if kind == "MRR":
        best = np.zeros(len(count))
        np.maximum.at(best, query[seen], 1 / rank[seen])
        return best
    if kind == "nDCG":
        order = np.lexsort([-grade, query])
        ideal = np.arange(len(query)) - np.searchsorted(query[order], query[order]) + 1
        best = _gain(query[order], grade[order], ideal, ideal <= depth, len(count))
        return _gain(query, grade, rank, seen, len(count)) / best
    found = np.bincount(query[seen], minlength=len(count))
    return {"R": found / count, "P": found / depth, "Success": (found > 0).astype(float)}[kind]


def _gain(query: np.ndarray, grade: np.ndarray, rank: np.ndarray, seen: np.ndarray, queries: int) -> np.ndarray:
    return np.bincount(query[seen], weights=grade[seen] / np.log2(rank[seen] + 1), minlength=queries)
