"""Tables: rankers × metrics on one split or on several, read from scores; or what a paper printed beside them."""

import math
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.evaluation.costs import TIMED, WHAT, is_timed
from dewpoint.report import latex
from dewpoint.report.markdown import MARK, grid
from dewpoint.report.reproduced import beside, blocks, write_lines
from dewpoint.report.table_settings import TableSettings

Key = tuple[str, str, str]  # ranker, dataset/split, metric
CHANCE = 0.05  # a difference from the baseline is marked when p is below


def write_table(
    artifact: Artifact,
    settings: TableSettings,
    scores: list[Path],
    comparison: Path | None,
    turns: list[Path],
    costs: list[Path],
) -> None:
    """As CSV, with full digits, Markdown and LaTeX; `scores` by place, then by ranker, `costs` so of places with costs.

    `turns` are of the places with latencies, where these are measured in turns.
    """
    facts = by_ranker(settings, [column.on for column in settings.columns], scores)
    values = {
        (ranker, on, metric): value for (on, ranker), of in facts.items() for metric, value in of["metrics"].items()
    }
    values |= in_turns(settings, turns) | of_manifests(settings, costs)
    queries = {column.on: facts[column.on, settings.rankers[0]]["queries"] for column in settings.columns}
    marked = differing(comparison) if comparison else set()
    output = artifact.beside(".csv")
    if settings.paper:
        lines = beside(settings, values)
        write_lines(lines, output)
        body = blocks(lines, settings.paper, marked)
    else:
        wide(settings, values).to_csv(output)
        body = [markdown(settings, values, marked)]
    tex = latex.table(artifact.manifest.stem, settings, values, marked, CHANCE)
    artifact.beside(".tex").write_text(tex, encoding="utf-8")
    places = "; ".join(f"{on}, {count:,} queries" for on, count in queries.items())
    body += [footnote(settings.baseline, marked, max(queries.values()))] if comparison else []
    body += [medians(settings.turns)] if settings.turns else []
    text = "\n\n".join([f"**{settings.title or artifact.manifest.stem}** ({places})", *body])
    artifact.beside(".md").write_text(f"{text}\n", encoding="utf-8")


def by_ranker(settings: TableSettings, places: list[str], manifests: list[Path]) -> dict[tuple[str, str], Any]:
    """(place, ranker) → facts."""
    found = [read_manifest(path)["facts"] for path in manifests]
    return dict(zip(product(places, settings.rankers), found, strict=True))


def in_turns(settings: TableSettings, turns: list[Path]) -> dict[Key, float]:
    """A part that a ranker does not have takes no time."""
    timed = {column.on: list(filter(is_timed, column.metrics)) for column in settings.columns if settings.turns}
    found = {}
    for (on, metrics), path in zip([of for of in timed.items() if of[1]], turns, strict=True):
        measured = read_manifest(path)["facts"]["milliseconds"]
        for ranker, metric in product(settings.rankers, metrics):
            name, _, size = metric.partition("@")
            part, what = TIMED[name]
            found[ranker, on, metric] = measured[ranker][size].get(part, {what: 0.0})[what]
    return found


def of_manifests(settings: TableSettings, costs: list[Path]) -> dict[Key, float]:
    """What a ranker has none of, or what is not known, is missing."""
    asked = {column.on: [metric for metric in column.metrics if metric in WHAT] for column in settings.columns}
    facts = by_ranker(settings, [on for on, metrics in asked.items() if metrics], costs)
    return {
        (ranker, on, metric): of["metrics"].get(metric, math.nan)
        for (on, ranker), of in facts.items()
        for metric in asked[on]
    }


def medians(turns: int) -> str:
    return f"Latencies are medians of {turns} turns, in each of which all rankers were timed, one after the other."


def wide(settings: TableSettings, values: dict[Key, float]) -> pd.DataFrame:
    """A row a ranker, a column a metric, whose name begins with the split where there are several."""
    columns = [(column.on, metric) for column in settings.columns for metric in column.metrics]
    names = [f"{on} {metric}" if len(settings.columns) > 1 else metric for on, metric in columns]
    rows = [[values[ranker, *column] for column in columns] for ranker in settings.rankers]
    return pd.DataFrame(rows, index=pd.Index(settings.rankers, name="ranker"), columns=names)


def markdown(settings: TableSettings, values: dict[Key, float], marked: set[Key]) -> str:
    places = short([column.on for column in settings.columns])
    columns = [(column.on, metric) for column in settings.columns for metric in column.metrics]
    header = [
        f"{places[column.on]} · {metric}" if len(places) > 1 else metric
        for column in settings.columns
        for metric in column.metrics
    ]
    rows = [[ranker, *(cell(values, (ranker, *on), marked) for on in columns)] for ranker in settings.rankers]
    return grid([["ranker", *header], *rows])


def cell(values: dict[Key, float], key: Key, marked: set[Key]) -> str:
    if math.isnan(values[key]):
        return ""
    return f"{values[key]:.3f}" + (MARK if key in marked else " " if marked else "")


def short(places: list[str]) -> dict[str, str]:
    """How places are called in a header: by the split alone where all are of one dataset."""
    one = len({on.split("/")[0] for on in places}) == 1
    return {on: on.split("/")[1] if one else on for on in places}


def differing(comparison: Path) -> set[Key]:
    """What differs from the baseline beyond chance: by the bootstrap, corrected for being one of many."""
    tests = pd.read_parquet(member(comparison))
    tests = tests[tests["bootstrap_corrected"] < CHANCE]
    return {(test.ranker, f"{test.dataset}/{test.split}", test.metric) for test in tests.itertuples()}


def footnote(baseline: str, marked: set[Key], queries: int) -> str:
    """`queries` are those of the split that has most."""
    if queries < 2:
        return f"A single query says nothing of chance; no test against {baseline}"
    what = f"{MARK} differs from {baseline}" if marked else f"Nothing differs from {baseline}"
    return f"{what} beyond chance: p < {CHANCE:g} (paired bootstrap, corrected)"
