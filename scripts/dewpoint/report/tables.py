"""Tables: rankers × metrics on one split or on several, read from scores; or what a paper printed beside them."""

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.evaluation.costs import TIMED, WHAT, is_cost, is_timed
from dewpoint.report import latex
from dewpoint.report.markdown import MARK, NONE, NONE_SAYS, grid
from dewpoint.report.reproduced import Line, beside, blocks, write_lines
from dewpoint.report.table_settings import TableSettings

Key = tuple[str, str, str]  # ranker, dataset/split, metric
CHANCE = 0.05  # a difference is beyond it when p, corrected, is below


class Compared(NamedTuple):
    """A ranker against the baseline; p is the bootstrap's, corrected for being one of many, nan of a single query."""

    difference: float
    low: float
    high: float
    p: float

    @property
    def beyond_chance(self) -> bool:
        return self.p < CHANCE


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
    spent = [(column.on, metric) for column in settings.columns for metric in column.metrics if is_cost(metric)]
    values = {(ranker, *of): math.nan for ranker in settings.rankers for of in spent} | values
    queries = {column.on: facts[column.on, settings.rankers[0]]["queries"] for column in settings.columns}
    tests = tested(comparison) if comparison else {}
    marked = differing(tests)
    output = artifact.beside(".csv")
    if settings.paper:
        lines = beside(settings, values)
        write_lines([with_test(line, queries[line.on], tests) for line in lines], output)
        body = blocks(lines, settings.paper, marked)
    else:
        wide(settings, values, queries, tests).to_csv(output)
        body = [markdown(settings, values, marked)]
        body += [NONE_SAYS] if f" {NONE} " in body[0] else []
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
    """A part that a ranker does not have takes no time; one that cannot be timed is in no turn."""
    timed = {column.on: list(filter(is_timed, column.metrics)) for column in settings.columns if settings.turns}
    found = {}
    for (on, metrics), path in zip([of for of in timed.items() if of[1]], turns, strict=True):
        measured = read_manifest(path)["facts"]["milliseconds"]
        for ranker, metric in product(filter(measured.__contains__, settings.rankers), metrics):
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


def wide(
    settings: TableSettings, values: dict[Key, float], queries: dict[str, int], tests: dict[Key, Compared]
) -> pd.DataFrame:
    """A row a ranker, a column a metric, whose name begins with the split where there are several.

    After these the number of queries, and how each metric that was tested compares to the baseline's.
    """
    columns = [(column.on, metric) for column in settings.columns for metric in column.metrics]
    several = len(settings.columns) > 1
    found = {
        f"{on} {metric}" if several else metric: [values[ranker, on, metric] for ranker in settings.rankers]
        for on, metric in columns
    }
    for on, count in queries.items():
        found[f"{on} queries" if several else "queries"] = [count] * len(settings.rankers)
    for on, metric in dict.fromkeys(key[1:] for key in tests):
        name = f"{on} {metric}" if several else metric
        of = [tests.get((ranker, on, metric)) for ranker in settings.rankers]
        for what in Compared._fields:
            found[f"{name} {what}"] = [getattr(test, what, math.nan) for test in of]
    return pd.DataFrame(found, index=pd.Index(settings.rankers, name="ranker"))


def with_test(line: Line, queries: int, tests: dict[Key, Compared]) -> Line:
    """A line with how many queries it is of, and how it compares to the baseline's."""
    test = tests.get((line.ranker, line.on, line.metric))
    names = ("from_baseline", *Compared._fields[1:])
    told = {name: None if math.isnan(value) else value for name, value in zip(names, test or (), strict=False)}
    return replace(line, queries=queries if line.ranker else None, **told)


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
        return NONE + (" " if marked else "")
    return f"{values[key]:.3f}" + (MARK if key in marked else " " if marked else "")


def short(places: list[str]) -> dict[str, str]:
    """How places are called in a header: by the split alone where all are of one dataset."""
    one = len({on.split("/")[0] for on in places}) == 1
    return {on: on.split("/")[1] if one else on for on in places}


def tested(comparison: Path) -> dict[Key, Compared]:
    """By the bootstrap, corrected for being one of many."""
    tests = pd.read_parquet(member(comparison))
    return {
        (test.ranker, f"{test.dataset}/{test.split}", test.metric): Compared(
            test.difference, test.low, test.high, test.bootstrap_corrected
        )
        for test in tests.itertuples()
    }


def differing(tests: dict[Key, Compared]) -> set[Key]:
    """What differs from the baseline beyond chance."""
    return {key for key, test in tests.items() if test.beyond_chance}


def footnote(baseline: str, marked: set[Key], queries: int) -> str:
    """`queries` are those of the split that has most."""
    if queries < 2:
        return f"A single query says nothing of chance; no test against {baseline}"
    what = f"{MARK} differs from {baseline}" if marked else f"Nothing differs from {baseline}"
    return f"{what} beyond chance: p < {CHANCE:g} (paired bootstrap, corrected)"
