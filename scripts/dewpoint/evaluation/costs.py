"""What a ranker costs, as metrics of tables: a name each, how it is had, and what manifests say of it.

They are no metrics of a run: no query has a value, and lower is better.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dewpoint.artifact import read_manifest
from dewpoint.evaluation.registry import LATENCY, SCORES, TIMES, goes_by, is_latency

HOUR, MEGABYTE = 3600, 2**20
Manifests = list[dict[str, Any]]


@dataclass(frozen=True)
class Spent:
    """The manifests of what a ranker is made of on a dataset, those of others that it asks among them."""

    models: Manifests
    vectors: Manifests  # of passages, a shard each
    derived: Manifests
    indexes: Manifests

    @classmethod
    def of(cls, *stages: Iterable[Path]) -> "Spent":
        return cls(*([read_manifest(path) for path in paths] for paths in stages))


# --- their names ----------------------------------------------------------------------------------

SPREADS = {  # standard deviations, of what is timed in turns: what of which part
    f"{LATENCY}{of}-sd": (part, "sd") for of, part in {"": "total", "-encode": "encode", "-search": "search"}.items()
}
TIMED = TIMES | SPREADS
WHAT = {
    "train-hours": "hours of training",
    "encode-index-hours": "hours of encoding and indexing",
    "vector-megabytes": "MB of vectors",
    "index-megabytes": "MB of index",
}
PATTERN = f"^({'|'.join(WHAT)}|({'|'.join(SPREADS)})@[1-9][0-9]*)$"


def is_cost(written: str) -> bool:
    """Time or room. All other metrics are of quality: each query has a value, and higher is better."""
    return written in WHAT or is_timed(written)


def is_tested(written: str) -> bool:
    """Whether each query or example has a value, so that rankers can be compared beyond chance."""
    return not is_cost(written) and goes_by(written) != SCORES


def is_timed(written: str) -> bool:
    """Whether batches of queries are timed for it, in turns or not."""
    return is_latency(written) or is_spread(written)


def is_spread(written: str) -> bool:
    return written.partition("@")[0] in SPREADS


def known() -> list[str]:
    """How each can be written, latencies aside."""
    return [*WHAT, *(f"{name}@10" for name in SPREADS)]


def in_words(written: str) -> str:
    """For an axis."""
    name, _, size = written.partition("@")
    if name in WHAT:
        return WHAT[name]
    part, what = TIMED[name]
    of = {"total": "", "encode": " of encoding", "search": " of search"}[part]
    how = {"mean": "", "p99": ", 99th percentile", "sd": ", standard deviation"}[what]
    return f"milliseconds{of} for {'a query' if size == '1' else f'{int(size):,} queries'}{how}"


# --- what they are --------------------------------------------------------------------------------


def costs(spent: Spent) -> dict[str, float | None]:
    """By name; None where there is nothing to count, or not all of it is known."""
    return {name: value(spent) for name, value in OF_MANIFESTS.items()}


def train_hours(spent: Spent) -> float | None:
    """Of the models that it asks, steps alone: no tokenising. What they started from is not counted.

    Of one that was interrupted it is all its attempts, with the start of each.
    """
    trained = [record for record in spent.models if "steps" in record["facts"]]
    seconds = [_trained(record) for record in trained]
    return None if not trained or None in seconds else sum(seconds) / HOUR


def encode_index_hours(spent: Spent) -> float | None:
    """Of all shards of the passages, as if one after the other, and of what is built from them."""
    made = [*spent.vectors, *spent.derived, *spent.indexes]
    return sum(record["run"]["seconds"] for record in made) / HOUR if made else None


def vector_megabytes(spent: Spent) -> float | None:
    """Of the passages' vectors, as they are stored."""
    return _megabytes(spent.vectors)


def index_megabytes(spent: Spent) -> float | None:
    return _megabytes(spent.indexes)


OF_MANIFESTS: dict[str, Callable[[Spent], float | None]] = dict(
    zip(WHAT, (train_hours, encode_index_hours, vector_megabytes, index_megabytes), strict=True)
)


def _trained(record: dict[str, Any]) -> float | None:
    """None where an attempt ended without a word."""
    if "training_seconds" in record["facts"]:
        return record["facts"]["training_seconds"]
    earlier = record["run"].get("earlier_seconds")
    return None if earlier is None else earlier + record["run"]["seconds"]


def _megabytes(records: Manifests) -> float | None:
    sizes = [file["bytes"] for record in records for file in record["files"].values()]
    return sum(sizes) / MEGABYTE if sizes else None
