"""What the page's summary speaks of: the first table's first metric of quality, or of cost where there is no other."""

import math
from pathlib import Path

from dewpoint.evaluation.costs import in_words, is_cost
from dewpoint.report.reproduced import read_lines, verdict
from dewpoint.report.shown import columns_of, queries_of, values_of
from dewpoint.report.summary import Findings
from dewpoint.report.tables import tested


def findings(study, results: Path, papers: dict) -> Findings | None:
    """Nothing without a table."""
    name, table = next(iter(study.tables.items()), (None, None))
    if name is None:
        return None
    csv, paper = results / "tables" / f"{name}.csv", papers.get(name)
    columns = columns_of(table)
    on, metric = next((column for column in columns if not is_cost(column[1])), columns[0])
    values = values_of(csv, table, paper).get((on, metric), {})
    places = dict.fromkeys([on, *("/".join(place) for place in table.columns)])
    tests = tested(results / "comparisons" / f"{name}.json") if table.baseline else {}
    return Findings(
        places={place: queries_of(results, table.rankers[0], place) for place in places},
        metric=metric,
        values={ranker: values.get(ranker, math.nan) for ranker in table.rankers},
        lower_is_better=is_cost(metric),
        unit=in_words(metric) if is_cost(metric) else "",
        baseline=table.baseline,
        tests={ranker: test for (ranker, *of), test in tests.items() if of == [on, metric]},
        published=near_published(csv, table.tolerance) if paper else "",
        other_tables=len(study.tables) - 1,
    )


def near_published(csv: Path, tolerance: float) -> str:
    """Nothing where no figure is judged."""
    lines = read_lines(csv)
    return verdict(lines, tolerance) if any(line.within is not None for line in lines) else ""
