"""A study's tables as the page shows them; written by shown.html.j2."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dewpoint.artifact import member, read_manifest
from dewpoint.evaluation.costs import in_words, is_cost, is_spread
from dewpoint.report.reproduced import by_row, read_lines, row_notes, texts, verdict
from dewpoint.report.tables import Key, differing, footnote, medians, short
from dewpoint.report.tradeoff import Point, figure, front


@dataclass(frozen=True)
class Cell:
    text: str
    best: bool
    marked: bool  # differs from the baseline


@dataclass(frozen=True)
class Measured:
    """Rankers × metrics."""

    columns: list[str]
    rows: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class Pair:
    """What was measured and what was published, and whether they are near enough."""

    measured: str
    published: str
    difference: str
    within: bool | None
    marked: bool


@dataclass(frozen=True)
class Reproduced:
    """A paper's table beside what was measured."""

    columns: list[str]
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
    title: str
    on: str
    groups: list[tuple[str, int]]  # splits, and how many metrics each has; none when there is but one
    body: Measured | Reproduced
    footnote: str
    tests: list[dict[str, Any]]  # against the baseline
    turns: str  # how latencies were measured, where they were in turns
    tradeoffs: list[Tradeoff]


def shown(name: str, table, results: Path, paper=None) -> Shown:
    """`table` is as a study has it; `paper` says where the table is from that this one reproduces, if it does."""
    comparison = results / "comparisons" / f"{name}.json" if table.baseline else None
    marked = differing(comparison) if comparison else set()
    path = results / "tables" / f"{name}.csv"
    body = reproduced(path, table.tolerance, paper, marked) if paper else measured(path, table, marked)
    places = {"/".join(place): metrics for place, metrics in table.columns.items()}
    scores = {on: results / "scores" / table.rankers[0] / f"{on.replace('/', '.')}.json" for on in places}
    queries = {on: read_manifest(score)["facts"]["queries"] for on, score in scores.items()}
    names = short(list(places))
    return Shown(
        title=table.title or name,
        on="; ".join(f"{on}, {count:,} queries" for on, count in queries.items()),
        groups=[(names[on], len(metrics)) for on, metrics in places.items()] if len(places) > 1 else [],
        body=body,
        footnote=footnote(table.baseline, marked, max(queries.values())) if table.baseline else "",
        tests=pd.read_parquet(member(comparison)).to_dict("records") if comparison else [],
        turns=medians(turns) if (turns := turns_of(name, results)) else "",
        tradeoffs=list(tradeoffs(table, values_of(path, table, paper))),
    )


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
    values = read_values(path)
    return {column: of.dropna().to_dict() for column, (_, of) in zip(columns_of(table), values.items(), strict=True)}


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


def measured(path: Path, table, marked: set[Key]) -> Measured:
    """A table's CSV; every value that reads like the best of its column is marked as such."""
    values = read_values(path)
    columns = columns_of(table)
    best = [
        of.min() if is_cost(metric) else of.max() for (_, metric), (_, of) in zip(columns, values.items(), strict=True)
    ]
    rows = [
        (
            ranker,
            [
                Cell(number(value), number(value) == number(top) != "", (ranker, *column) in marked)
                for value, top, column in zip(row, best, columns, strict=True)
            ],
        )
        for ranker, *row in values.itertuples()
    ]
    return Measured([metric for _, metric in columns], rows)


def columns_of(table) -> list[tuple[str, str]]:
    """(place, metric), as its CSV has them."""
    return [("/".join(place), metric) for place, metrics in table.columns.items() for metric in metrics]


def read_values(path: Path) -> pd.DataFrame:
    """By ranker."""
    return pd.read_csv(path, index_col="ranker", dtype={"ranker": str}, keep_default_na=False, na_values=[""])


def reproduced(path: Path, tolerance: float, paper, marked: set[Key]) -> Reproduced:
    lines, rows = read_lines(path), []
    columns = list(dict.fromkeys((line.on, line.metric) for line in lines))
    for (row, ranker), of in by_row(lines).items():
        found = [(of.get(column), (ranker, *column) in marked) for column in columns]
        rows.append((row, ranker, [Pair(*texts(line), line and line.within, mark) for line, mark in found]))
    notes = [*paper.notes, *row_notes(lines)]
    return Reproduced([metric for _, metric in columns], rows, paper.source, verdict(lines, tolerance), notes)


def number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"
