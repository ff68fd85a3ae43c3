"""A paper's table beside what was measured: one line for each row and metric, joined by row, split and metric."""

import csv
import math
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path

from dewpoint.evaluation.costs import is_cost
from dewpoint.report.markdown import MARK, grid
from dewpoint.report.table_settings import Paper, TableSettings

NOT_RUN, SUSPECT, INFERRED, SD = "not run", "suspected misprint", "setting inferred", "±"
ELSEWHERE = "published figures are of"


@dataclass(frozen=True)
class Line:
    """`measured` is from scores alone, `published` from the paper alone; neither ever stands in for the other."""

    row: str  # the paper's; empty for a ranker that it does not have
    ranker: str  # empty when not run
    system: str
    setting: str
    on: str
    metric: str
    measured: float | None
    published: Decimal | None
    difference: Decimal | None  # with the digits that the paper prints
    within: bool | None  # the tolerance; nothing where there is nothing to judge
    note: str
    queries: int | None = None  # that it was measured on
    from_baseline: float | None = None  # what was measured, less the baseline's, with its interval and corrected p
    low: float | None = None
    high: float | None = None
    p: float | None = None


def beside(settings: TableSettings, values: dict[tuple[str, str, str], float]) -> list[Line]:
    """The paper's rows in its order, then the rankers that it does not have."""
    paper, lines = settings.paper, []
    rankers = {row: ranker for ranker, row in paper.reproduces.items()}
    places = [(column.on, metric) for column in settings.columns for metric in column.metrics]
    for row in paper.rows:
        ranker = rankers.get(row.row, "")
        why = paper.absent.get(row.system)
        absent = "" if ranker else f"{NOT_RUN}: {why}" if why else NOT_RUN
        for on, metric in places:
            measured, printed = known(values, ranker, on, metric), row.figures[on].get(metric)
            if measured is None and printed is None:
                continue
            published, suspect = printed and Decimal(printed), metric in row.suspect[on]
            sd = row.sd.get(on, {}).get(metric)
            elsewhere = paper.published_on.get(on) if printed else None
            notes = [
                absent,
                elsewhere and f"{ELSEWHERE} {elsewhere}",
                sd and f"{SD} {sd}",
                suspect and SUSPECT,
                row.inferred and INFERRED,
                row.note,
            ]
            unjudged = suspect or elsewhere or is_cost(metric)  # a time is one of its machine
            judged = judge(measured, None if unjudged else published, paper.tolerance)
            named = row.name, ranker, row.system, row.setting, on, metric
            lines.append(Line(*named, measured, published, *judged, "; ".join(filter(None, notes))))
    for ranker in settings.rankers:
        if ranker not in paper.reproduces:
            for on, metric in places:
                measured = known(values, ranker, on, metric)
                lines.append(Line("", ranker, "", "", on, metric, measured, None, None, None, ""))
    return lines


def known(values: dict[tuple[str, str, str], float], *key: str) -> float | None:
    """Nothing where it was not measured, or a cost is not known."""
    found = values.get(key)
    return None if found is None or math.isnan(found) else found


def judge(
    measured: float | None, published: Decimal | None, tolerance: float
) -> tuple[Decimal, bool] | tuple[None, None]:
    """The difference once `measured` is rounded to the printed digits, and whether it is within the tolerance."""
    if measured is None or published is None:
        return None, None
    difference = Decimal(measured).quantize(published) - published
    return difference, abs(difference) <= Decimal(str(tolerance))


# --- as CSV -------------------------------------------------------------------------------------


def write_lines(lines: list[Line], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Line)])
        for line in lines:
            within = "" if line.within is None else "yes" if line.within else "no"
            writer.writerow((vars(line) | {"within": within}).values())


def read_lines(path: Path) -> list[Line]:
    """What `write_lines` wrote, with all digits."""
    kinds = {"measured": float, "published": Decimal, "difference": Decimal, "within": "yes".__eq__, "queries": int}
    kinds |= dict.fromkeys(("from_baseline", "low", "high", "p"), float)
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Line(**row | {name: kind(row[name]) if row[name] else None for name, kind in kinds.items()})
            for row in csv.DictReader(file)
        ]


# --- as text ------------------------------------------------------------------------------------


def blocks(lines: list[Line], paper: Paper, marked: set[tuple[str, str, str]]) -> list[str]:
    """The paragraphs of a table in Markdown: a grid for each split, and what is to be known of them."""
    places = dict.fromkeys(line.on for line in lines)
    paragraphs = [f"{paper.source}. {verdict(lines, paper.tolerance)}."]
    for on in places:
        paragraphs += [f"{on}:"] if len(places) > 1 else []
        paragraphs.append(_grid([line for line in lines if line.on == on], marked))
    notes = [f"- {note}" for note in [*paper.notes, *row_notes(lines)]]
    return [*paragraphs, "\n".join(notes)] if notes else paragraphs


def verdict(lines: list[Line], tolerance: float) -> str:
    judged = [line.within for line in lines if line.within is not None]
    return f"{sum(judged)} of {len(judged)} figures within ±{tolerance:g} of the published ones"


def by_row(lines: list[Line]) -> dict[tuple[str, str], dict[tuple[str, str], Line]]:
    """(row, ranker) → (split, metric) → its line."""
    rows: dict[tuple[str, str], dict[tuple[str, str], Line]] = {}
    for line in lines:
        rows.setdefault((line.row, line.ranker), {})[line.on, line.metric] = line
    return rows


def row_notes(lines: list[Line]) -> list[str]:
    """What is to be known of single rows; that one is not run, or a mean, is said in its place."""
    of_rows: dict[str, dict[str, None]] = {}
    for line in lines:
        parts = (part for part in line.note.split("; ") if part not in ("", NOT_RUN) and not part.startswith(SD))
        of_rows.setdefault(line.row, {}).update(dict.fromkeys(parts))
    rows_of: dict[str, list[str]] = {}
    for row, parts in of_rows.items():
        rows_of.setdefault("; ".join(parts), []).append(row)
    return [f"{'; '.join(rows)}: {note}" for note, rows in rows_of.items() if note]


def texts(line: Line | None) -> tuple[str, str, str]:
    """Measured, published and difference as they are shown, in the digits that the paper prints."""
    if line is None:
        return "", "", ""
    digits = 3 if line.published is None else -line.published.as_tuple().exponent
    measured = "" if line.measured is None else f"{line.measured:.{digits}f}"
    published = "" if line.published is None else f"{line.published}{'?' if SUSPECT in line.note else ''}"
    published = " ".join([published, *(part for part in line.note.split("; ") if part.startswith(SD))])
    return measured, published, "" if line.difference is None else f"{line.difference:+}"


def _grid(lines: list[Line], marked: set[tuple[str, str, str]]) -> str:
    columns = dict.fromkeys((line.on, line.metric) for line in lines)
    rows = [["row", "ranker", *(name for _, metric in columns for name in (metric, "published", "difference"))]]
    for (row, ranker), of in by_row(lines).items():
        cells = []
        for on, metric in columns:
            line = of.get((on, metric))
            measured, published, difference = texts(line)
            mark = MARK if (ranker, on, metric) in marked else " " if marked and measured else ""
            judged = {True: " ✓", False: " ✗"}.get(line and line.within, "")
            cells += [measured + mark, published, difference + judged]
        rows.append([row, ranker or NOT_RUN, *cells])
    return grid(rows, left=2)
