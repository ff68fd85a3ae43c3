"""The metrics: a function each, entered by `@metric` under its name; `names`, `pattern` and the rest follow from that.

Functions get what they need as arrays, so the names can be had without numpy. Those of a run get `Ranks` (metrics.py),
or of sets of evidence `Sets` (sets.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

from dewpoint.errors import UserError

JUDGEMENTS = "judgements"  # the ranks of what is judged
PAGES = "pages"  # the same of documents, judged by their passages and ranked by the best of them
SETS = "sets"  # the ranks of paragraphs that a query's sets of evidence name, as KILT has them
PAGE_SETS = "page sets"  # the same of documents
ANSWERS = "answers"  # the ranks of passages that contain an answer
TIME = "time"
SCORES = "scores"  # predicted scores of examples, and given ones
TRIPLETS = "triplets"  # similarities of the three texts of examples: of 1 and 2, 1 and 3, 2 and 3
OF_SETS = (SETS, PAGE_SETS)
OF_RUNS = (JUDGEMENTS, PAGES, *OF_SETS, ANSWERS)
OF_EXAMPLES = (SCORES, TRIPLETS)
HIT, RPREC, LATENCY = "Hit", "Rprec", "latency"
BATCHES = {1: 300, 10: 100, 2000: 5}  # queries at once: how often latency is measured
TIMES = {  # what of which part
    f"{LATENCY}{of}{suffix}": (part, what)
    for of, part in {"": "total", "-encode": "encode", "-search": "search"}.items()
    for suffix, what in {"": "mean", "-p99": "p99"}.items()
}


@dataclass(frozen=True)
class Metric:
    name: str
    by: str  # what it goes by
    cutoff: bool  # MRR@10, not MRR
    value: (
        Callable | None
    )  # Ranks or Sets, and the cutoff if it takes one → a value a query; arrays of examples → one value


METRICS: dict[tuple[str, bool], Metric] = {}  # by name, and whether with a cutoff


def metric(name: str, by: str = JUDGEMENTS, cutoff: bool = True) -> Callable:
    """Enter a function as a metric."""

    def entered(value: Callable | None) -> Callable | None:
        METRICS[name, cutoff] = Metric(name, by, cutoff, value)
        return value

    return entered


def entry(written: str) -> tuple[Metric, int | None]:
    """(metric, cutoff) of what is written, such as MRR@10."""
    name, at, cutoff = written.partition("@")
    found = METRICS.get((name, bool(at)))
    if found is None or (at and not (cutoff.isdecimal() and int(cutoff))):
        raise UserError(f"unknown metric '{written}', write {', '.join(known())}")
    return found, int(cutoff) if at else None


def goes_by(written: str) -> str:
    return entry(written)[0].by


def is_latency(written: str) -> bool:
    """All other metrics are of quality: each query has a value."""
    return written.partition("@")[0] in TIMES


def names(*by: str, cutoff: bool) -> list[str]:
    """The metrics that go by any of these, with a cutoff or without."""
    return [one.name for one in METRICS.values() if one.by in by and one.cutoff == cutoff]


def known(*by: str) -> list[str]:
    """How each can be written, those with a cutoff first; all when nothing is named."""
    by = by or (*OF_RUNS, TIME, *OF_EXAMPLES)
    return [*(f"{name}@10" for name in names(*by, cutoff=True)), *names(*by, cutoff=False)]


def pattern(*by: str) -> str:
    """The regular expression of what can be written of those that go by any of these."""
    cut = f"({'|'.join(names(*by, cutoff=True))})@[1-9][0-9]*"
    return f"^({'|'.join([*names(*by, cutoff=False), cut])})$"


# --- of each query of a run ---------------------------------------------------------------------


@metric("MRR")
def reciprocal_rank(of, k: int):
    """1 / the rank of the first relevant one, 0 beyond k."""
    return of.best(k)


@metric("PageR", PAGES)
@metric("R")
def recall(of, k: int):
    """Relevant ones among the first k, as a share of all relevant ones."""
    return of.found(k) / of.relevant_or_one


@metric("nDCG")
def discounted_gain(of, k: int):
    """Σ grade / log2(rank + 1) over the first k, as a share of what the best order would give."""
    return of.gain(k)


@metric("Success")
@metric(HIT, ANSWERS)
def success(of, k: int):
    """1 if one of the first k is relevant, or contains an answer."""
    return (of.found(k) > 0).astype(float)


@metric("P")
def precision(of, k: int):
    """Relevant ones among the first k, as a share of k."""
    return of.found(k) / k


@metric("PageRprec", PAGES, cutoff=False)
@metric(RPREC, cutoff=False)
def r_precision(of):
    """Precision at as many as are relevant."""
    return of.found(of.relevant_of_each) / of.relevant_or_one


@metric("PageSetR", PAGE_SETS)
@metric("SetR", SETS)
def recall_of_sets(of, k: int):
    """Sets of evidence that are whole among the first k, as a share of all; what is of one set counts as one."""
    return of.recall(k)


@metric("PageSetRprec", PAGE_SETS, cutoff=False)
@metric("SetRprec", SETS, cutoff=False)
def r_precision_of_sets(of):
    """Precision at as many as a set of evidence has, of the set of which it is highest."""
    return of.precision()


@metric("MRR", cutoff=False)
def reciprocal_rank_of_all(of):
    """1 / the rank of the first relevant one, of all that were ranked, such as the candidates of a dialogue."""
    return of.best(len(of.rank) and int(of.rank.max()))


for name in TIMES:  # latency@10: milliseconds until a batch of 10 queries is answered; measured, not computed
    metric(name, TIME)(None)


# --- of all examples of a split -----------------------------------------------------------------


@metric("Pearson", SCORES, cutoff=False)
def pearson(predicted, scores) -> float:
    """Σ (p - p̄)(s - s̄) / √(Σ (p - p̄)² Σ (s - s̄)²)."""
    p, s = (values.astype(float) - values.mean(dtype=float) for values in (predicted, scores))
    return float(p @ s / ((p @ p) ** 0.5 * (s @ s) ** 0.5))


@metric("Spearman", SCORES, cutoff=False)
def spearman(predicted, scores) -> float:
    """Pearson's correlation of the ranks; equal values share the mean of theirs."""
    return pearson(_ranks(predicted), _ranks(scores))


@metric("Accuracy", TRIPLETS, cutoff=False)
def accuracy(similarities) -> float:
    """The share of triplets whose first text is nearer to the second than to the third."""
    return float((similarities[:, 0] > similarities[:, 1]).mean())


def _ranks(values):
    import numpy as np

    _, number, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[number]
