"""A study's tables as the page shows them; written by shown.html.j2."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dewpoint.artifact import member, read_manifest
from dewpoint.evaluation.costs import in_words, is_cost, is_spread
from dewpoint.report.markdown import NONE, NONE_SAYS
from dewpoint.report.reproduced import Line, by_row, read_lines, row_notes, texts, verdict
from dewpoint.report.tables import Compared, Key, differing, footnote, medians, short, tested
from dewpoint.report.tradeoff import Point, figure, front

MOST_TESTED = 3  # columns of metrics that have the difference from the baseline and its p beside them


@dataclass(frozen=True)
class Cell:
    text: str
    value: str  # that it is sorted by: all digits
    best: bool
    marked: bool  # differs from the baseline
    said: str = ""  # when it is pointed at
    difference: str = ""  # from the baseline
    p: str = ""


@dataclass(frozen=True)
class Measured:
    """Rankers × metrics."""

    columns: list[str]
    lower: list[bool]  # whether lower is better, of each
    tested: list[bool]  # whether its difference from the baseline and p have columns, too
    rows: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class Pair:
    """What was measured and what was published, and whether they are near enough."""

    measured: str
    published: str
    difference: str
    within: bool | None
    marked: bool
    said: str = ""  # when it is pointed at
    best: bool = False  # of what was measured


@dataclass(frozen=True)
class Reproduced:
    """A paper's table beside what was measured."""

    columns: list[str]
    lower: list[bool]
    rows: list[tuple[str, str, list[Pair]]]  # the paper's row, the ranker
    source: str
    verdict: str
    notes: list[str]


@dataclass(frozen=True)
class Tradeoff:
    """Quality against one cost."""

    caption: str
    front: list[str]  # rankers that no other beats in both
    svg: str


@dataclass(frozen=True)
class Shown:
    name: str
    title: str
    on: str
    groups: list[tuple[str, int]]  # splits, and how many columns each has; none when there is but one
    body: Measured | Reproduced
    footnote: str
    tests: list[dict[str, Any]]  # against the baseline
    turns: str  # how latencies were measured, where they were in turns
    tradeoffs: list[Tradeoff]
    csv: str
    none: str  # what is to be known of figures that are not there


def shown(name: str, table, results: Path, paper=None) -> Shown:
    """`table` is as a study has it; `paper` says where the table is from that this one reproduces, if it does."""
    comparison = results / "comparisons" / f"{name}.json" if table.baseline else None
    tests = tested(comparison) if comparison else {}
    marked = differing(tests)
    path = results / "tables" / f"{name}.csv"
    body = reproduced(path, table.tolerance, paper, tests) if paper else measured(path, table, tests)
    places = {"/".join(place): metrics for place, metrics in table.columns.items()}
    queries = {on: queries_of(results, table.rankers[0], on) for on in places}
    names = short(list(places))
    return Shown(
        name=name,
        title=table.title or name,
        on="; ".join(f"{on}, {count:,} queries" for on, count in queries.items()),
        groups=groups(names, places, body) if len(places) > 1 else [],
        body=body,
        footnote=footnote(table.baseline, marked, max(queries.values())) if table.baseline else "",
        tests=pd.read_parquet(member(comparison)).to_dict("records") if comparison else [],
        turns=medians(turns) if (turns := turns_of(name, results)) else "",
        tradeoffs=list(tradeoffs(table, values_of(path, table, paper))),
        csv=path.read_text(encoding="utf-8"),
        none=NONE_SAYS if not paper and any(cell.text == NONE for _, cells in body.rows for cell in cells) else "",
    )


def queries_of(results: Path, ranker: str, place: str) -> int:
    return read_manifest(results / "scores" / ranker / f"{place.replace('/', '.')}.json")["facts"]["queries"]


def groups(names: dict[str, str], places: dict[str, list[str]], body: Measured | Reproduced) -> list[tuple[str, int]]:
    """A split, and how many columns it has: three where a metric's comparison stands beside it."""
    found, first = [], 0
    for on, metrics in places.items():
        three = [True] * len(metrics) if isinstance(body, Reproduced) else body.tested[first : first + len(metrics)]
        found.append((names[on], sum(3 if of else 1 for of in three)))
        first += len(metrics)
    return found


def turns_of(name: str, results: Path) -> int | None:
    """As they were measured, which in a rehearsal is other than the study says."""
    manifest = results / "tables" / f"{name}.json"
    return read_manifest(manifest)["settings"].get("turns") if manifest.is_file() else None


def values_of(path: Path, table, paper) -> dict[tuple[str, str], dict[str, float]]:
    """(place, metric) → ranker → what was measured, as far as it is known."""
    if paper:
        lines = [line for line in read_lines(path) if line.ranker and line.measured is not None]
        found: dict[tuple[str, str], dict[str, float]] = {}
        for line in lines:
            found.setdefault((line.on, line.metric), {})[line.ranker] = line.measured
        return found
    columns = columns_of(table)
    values = read_values(path).iloc[:, : len(columns)]
    return {column: of.dropna().to_dict() for column, (_, of) in zip(columns, values.items(), strict=True)}


def tradeoffs(table, values: dict[tuple[str, str], dict[str, float]]) -> Iterator[Tradeoff]:
    """A figure for each cost, deviations and percentiles aside, with the first metric of quality beside it."""
    seen: set[str] = set()
    for place, metrics in table.columns.items():
        on, quality = "/".join(place), next((metric for metric in metrics if not is_cost(metric)), None)
        for cost in (metric for metric in metrics if quality and is_cost(metric) and not is_spread(metric)):
            of, spent = values.get((on, quality), {}), values.get((on, cost), {})
            points = [
                Point(ranker, spent[ranker], of[ranker]) for ranker in table.rankers if ranker in of.keys() & spent
            ]
            if cost not in seen and "-p99" not in cost and len({point[1:] for point in points}) > 1:
                seen.add(cost)
                where = f" on {on}" if len(table.columns) > 1 else ""
                caption = f"{quality} and {in_words(cost)}{where}"
                best = [point.name for point in front(points)]
                yield Tradeoff(caption, best, figure(points, in_words(cost), quality))


def measured(path: Path, table, tests: dict[Key, Compared]) -> Measured:
    """A table's CSV; every value that reads like the best of its column is marked as such."""
    values, columns, lower = read_values(path), columns_of(table), [is_cost(metric) for _, metric in columns_of(table)]
    values = values.iloc[:, : len(columns)]  # what comes after says how they compare
    compared = {key[1:] for key in tests}
    best = [of.min() if less else of.max() for less, (_, of) in zip(lower, values.items(), strict=True)]
    rows = []
    for ranker, *row in values.itertuples():
        keys = [(ranker, *column) for column in columns]
        rows.append((ranker, [cell(*of) for of in zip(row, best, map(tests.get, keys), strict=True)]))
    few = len(compared) <= MOST_TESTED
    return Measured([metric for _, metric in columns], lower, [few and key in compared for key in columns], rows)


def cell(value: float, top: float, test: Compared | None) -> Cell:
    text = number(value)
    how = (said(test), f"{test.difference:+.3f}".replace("-", "−"), p_value(test.p)) if test else ()
    digits = "" if pd.isna(value) else repr(float(value))
    return Cell(text, digits, text == number(top) != NONE, bool(test and test.beyond_chance), *how)


def said(test: Compared | None) -> str:
    """How a figure compares to the baseline's."""
    if test is None:
        return ""
    interval = "" if pd.isna(test.low) else f", 95% interval {test.low:+.3f} to {test.high:+.3f}"
    return f"{test.difference:+.3f} from the baseline{interval}, p {p_value(test.p)}".replace("-", "−")


def p_value(p: float) -> str:
    return NONE if pd.isna(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001"


def columns_of(table) -> list[tuple[str, str]]:
    """(place, metric), as its CSV has them."""
    return [("/".join(place), metric) for place, metrics in table.columns.items() for metric in metrics]


def read_values(path: Path) -> pd.DataFrame:
    """By ranker."""
    return pd.read_csv(path, index_col="ranker", dtype={"ranker": str}, keep_default_na=False, na_values=[""])


def reproduced(path: Path, tolerance: float, paper, tests: dict[Key, Compared]) -> Reproduced:
    lines, rows = read_lines(path), []
    columns = list(dict.fromkeys((line.on, line.metric) for line in lines))
    measures = {
        column: [line.measured for line in lines if (line.on, line.metric) == column and line.measured is not None]
        for column in columns
    }
    best = {of: (min if is_cost(of[1]) else max)(values, default=None) for of, values in measures.items()}
    for (row, ranker), of in by_row(lines).items():
        found = [(of.get(column), tests.get((ranker, *column)), best[column]) for column in columns]
        rows.append((row, ranker, [pair(*one) for one in found]))
    notes = [*paper.notes, *row_notes(lines)]
    metrics = [metric for _, metric in columns]
    return Reproduced(metrics, list(map(is_cost, metrics)), rows, paper.source, verdict(lines, tolerance), notes)


def pair(line: Line | None, test: Compared | None, top: float | None) -> Pair:
    is_best = line is not None and line.measured is not None and number(line.measured) == number(top)
    marked = bool(test and test.beyond_chance)
    return Pair(*texts(line), line and line.within, marked, said(test), is_best)


def number(value: float) -> str:
    return NONE if pd.isna(value) else f"{value:.3f}"
