"""Which figures of a study's tables another run of it has otherwise, and which of them beyond chance."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dewpoint.evaluation.costs import WHAT, is_tested, is_timed
from dewpoint.evaluation.significance import holm, resampled
from dewpoint.inventory import Held, Inventory

SEED = 1
NOT_SAME, NO_VALUES = "other queries", "no values of queries"
CLOCKED = {metric for metric in WHAT if metric.endswith("-hours")}  # never the same twice


class Figure(NamedTuple):
    ranker: str
    on: str  # dataset/split
    metric: str


@dataclass(frozen=True)
class Moved:
    """A figure that the two have otherwise."""

    figure: Figure
    tables: list[str]
    then: float
    now: float
    p: float | None = None  # paired over queries, corrected for being one of many
    untested: str = ""  # why there is no p


def figures(held: Inventory) -> tuple[dict[Figure, float], dict[Figure, list[str]]]:
    """The figures of all tables, as their scores have them, and the tables that each is in; none that a clock gave."""
    values: dict[Figure, float] = {}
    tables: dict[Figure, list[str]] = defaultdict(list)
    for name, figure in _of_tables(held):
        scores = held.artifacts.get(_scores(figure))
        value = scores and scores.record["facts"]["metrics"].get(figure.metric)
        if value is not None:
            values[figure] = value
            tables[figure].append(name)
    return values, dict(tables)


def moved(now: Inventory, then: Inventory) -> list[Moved]:
    """What both have and is not the same, the largest difference first."""
    (after, tables), (before, _) = figures(now), figures(then)
    both = [figure for figure in after if figure in before and after[figure] != before[figure]]
    tests, why = _tests(both, now, then)
    found = [Moved(at, tables[at], before[at], after[at], tests.get(at), why.get(at, "")) for at in both]
    return sorted(found, key=lambda one: -abs(one.now - one.then))


def of_one(one: Inventory, other: Inventory) -> list[Figure]:
    """The figures that only the first has."""
    return [figure for figure in figures(one)[0] if figure not in figures(other)[0]]


def _of_tables(held: Inventory) -> Iterator[tuple[str, Figure]]:
    for name, table in held.artifacts.items():
        if name.startswith("tables/"):
            settings = table.record["settings"]
            for column in settings.get("columns", []):
                for metric in column["metrics"]:
                    if metric not in CLOCKED and not is_timed(metric):
                        figures = (Figure(ranker, column["on"], metric) for ranker in settings["rankers"])
                        yield from ((name.removeprefix("tables/"), figure) for figure in figures)


def _scores(figure: Figure) -> str:
    """The artifact that has it: what costs is of a dataset, and of no split."""
    dataset, split = figure.on.split("/")
    return f"scores/{figure.ranker}/{dataset}" + ("" if figure.metric in WHAT else f".{split}")


# --- beyond chance ------------------------------------------------------------------------------


def _tests(found: list[Figure], now: Inventory, then: Inventory) -> tuple[dict[Figure, float], dict[Figure, str]]:
    """p of each that can be tested, and why of each that cannot; on the same queries by the same resamples of them."""
    tests, why, together = {}, {}, defaultdict(list)
    for figure in found:
        if not is_tested(figure.metric):
            continue
        pair = [held.artifacts[_scores(figure)] for held in (now, then)]
        if not _same_queries(*pair, now, then, figure.on):
            why[figure] = NOT_SAME
        elif (differences := _differences(*pair, figure.metric)) is None:
            why[figure] = NO_VALUES
        else:
            counted = ~np.isnan(differences)
            together[figure.on, counted.tobytes()].append((figure, differences[counted]))
    for of in together.values():
        if len(of[0][1]) > 1:  # a single query says nothing of chance
            p = resampled(np.stack([differences for _, differences in of], axis=1), SEED)[2]
            tests |= {figure: float(value) for (figure, _), value in zip(of, p, strict=True)}
    corrected = holm(np.array(list(tests.values()))) if tests else []
    return dict(zip(tests, map(float, corrected), strict=True)), why


def _same_queries(one: Held, other: Held, now: Inventory, then: Inventory, on: str) -> bool:
    """Whether rows stand for the same queries: the datasets are the same, or their files of queries are."""
    dataset, split = on.split("/")
    name = f"data/{dataset}"
    contents = [held.inputs[name][1] for held in (one, other) if name in held.inputs]
    if len(contents) == 2 and contents[0] == contents[1]:
        return True
    sides = [held.artifacts[name].record["files"] for held in (now, then) if name in held.artifacts]
    sums = [{f"{table}.{split}.parquet" for table in ("queries", "examples")} & files.keys() for files in sides]
    return len(sides) == 2 and bool(sums[0]) and all(sides[0][f] == sides[1].get(f) for f in sums[0] | sums[1])


def _differences(one: Held, other: Held, metric: str) -> np.ndarray | None:
    """Now less then, of each query; nothing where a side has no values of queries, or of others."""
    files = [held.manifest.with_suffix(".parquet") for held in (one, other)]
    if not all(map(Path.is_file, files)):
        return None
    (queries, now), (same, then) = (_values(file, metric) for file in files)
    if now is None or then is None or not np.array_equal(queries, same):
        return None
    return now - then


def _values(file: Path, metric: str) -> tuple[np.ndarray, np.ndarray | None]:
    """(queries, values); no values where the file has no such column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from dewpoint.errors import UserError

    try:
        table = pq.read_table(file)
        queries = table.column(0).to_numpy()
        return queries, table[metric].to_numpy() if metric in table.column_names else None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file}: cannot be read ({(str(error).splitlines() or ['?'])[0]})") from None
