"""Tables as LaTeX, for the package booktabs: names escaped, the best of a column bold, published beside measured."""

import math
from decimal import Decimal
from itertools import groupby

from dewpoint.evaluation.costs import is_cost
from dewpoint.report.reproduced import NOT_RUN, Line, beside, by_row, texts
from dewpoint.report.table_settings import TableSettings

Key = tuple[str, str, str]  # ranker, dataset/split, metric
SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"}
SPECIAL |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPECIAL |= {"±": r"$\pm$", "†": r"\textdagger{}", "\n": " ", "[": "{[}", "]": "{]}"}  # a bracket after \\ is a length
MARK = r"\textsuperscript{\textdagger}"


def table(name: str, settings: TableSettings, values: dict[Key, float], marked: set[Key], chance: float) -> str:
    """A float with a caption and a label; of a paper's table with what it printed beside what was measured."""
    paper = settings.paper
    head, rows, left = _beside(settings, values, marked) if paper else _measured(settings, values, marked)
    lines = ["% \\usepackage{booktabs}", r"\begin{table}", r"\centering"]
    source = f" Published: {paper.source}." if paper else ""
    lines += [rf"\caption{{{escaped(settings.title or name)}.{escaped(source)}}}", rf"\label{{tab:{name}}}"]
    lines += [rf"\begin{{tabular}}{{{'l' * left}{'r' * (len(rows[0]) - left)}}}", r"\toprule", *head, r"\midrule"]
    lines += [*grid(rows), r"\bottomrule", r"\end{tabular}"]
    if marked:
        said = f" differs from {settings.baseline} beyond chance: p < {chance:g} (paired bootstrap, corrected)"
        lines += ["", r"\smallskip", MARK + escaped(said).replace("<", "$<$")]
    return "\n".join([*lines, r"\end{table}", ""])


def escaped(text: str) -> str:
    """As LaTeX prints it."""
    return "".join(SPECIAL.get(character, character) for character in text)


def grid(rows: list[list[str]]) -> list[str]:
    """Rows of cells, in columns of even width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f"{' & '.join(map(str.ljust, row, widths)).rstrip()} \\\\" for row in rows]


def _places(columns: list[tuple[str, str]], wide: int, left: int) -> list[str]:
    """A line with the places over their columns, `wide` columns a metric, and rules; nothing of one place."""
    groups = [(on, len([*of]) * wide) for on, of in groupby(columns, lambda column: column[0])]
    if len(groups) < 2:
        return []
    cells, rules, first = [""] * left, [], left + 1
    for on, count in groups:
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{escaped(on)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    return [f"{' & '.join(cells).lstrip()} \\\\", " ".join(rules)]


# --- measured alone -----------------------------------------------------------------------------


def _measured(
    settings: TableSettings, values: dict[Key, float], marked: set[Key]
) -> tuple[list[str], list[list[str]], int]:
    """(the header's lines, rows of cells, columns that begin at the left)."""
    columns = [(column.on, metric) for column in settings.columns for metric in column.metrics]
    head = [*_places(columns, 1, 1), *grid([["ranker", *(escaped(metric) for _, metric in columns)]])]
    shown = [[_text(values[ranker, *column]) for column in columns] for ranker in settings.rankers]
    bold = [best([row[at] for row in shown], metric) for at, (_, metric) in enumerate(columns)]
    rows = [
        [escaped(ranker), *(_cell(text, text in best, (ranker, *at) in marked) for text, best, at in of)]
        for ranker, of in zip(settings.rankers, (zip(row, bold, columns, strict=True) for row in shown), strict=True)
    ]
    return head, rows, 1


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _cell(text: str, bold: bool, marked: bool) -> str:
    return (rf"\textbf{{{text}}}" if bold else text) + (MARK if marked else "")


def best(texts: list[str], metric: str) -> set[str]:
    """The best of a column as it is shown, so that what looks alike is treated alike; none where all are equal."""
    known = {Decimal(text): text for text in texts if text}
    if len(known) < 2:
        return set()
    goal = min(known) if is_cost(metric) else max(known)
    return {text for text in texts if text and Decimal(text) == goal}


# --- published beside measured --------------------------------------------------------------------


def _beside(
    settings: TableSettings, values: dict[Key, float], marked: set[Key]
) -> tuple[list[str], list[list[str]], int]:
    """As of measured alone; two columns a metric."""
    lines = beside(settings, values)
    columns = [(on, metric) for on in dict.fromkeys(line.on for line in lines) for metric in _metrics(lines, on)]
    names = [cell for _, metric in columns for cell in (escaped(metric), "published")]
    head = [*_places(columns, 2, 2), *grid([["row", "ranker", *names]])]
    of_rows = by_row(lines)
    bold = {at: best([texts(of.get(at))[0] for of in of_rows.values()], at[1]) for at in columns}
    rows = []
    for (row, ranker), of in of_rows.items():
        cells = []
        for at in columns:
            measured, published, _ = texts(of.get(at))
            cells += [_cell(measured, measured in bold[at], (ranker, *at) in marked), escaped(published)]
        rows.append([escaped(row), escaped(ranker or NOT_RUN), *cells])
    return head, rows, 2


def _metrics(lines: list[Line], on: str) -> dict[str, None]:
    return dict.fromkeys(line.metric for line in lines if line.on == on)
