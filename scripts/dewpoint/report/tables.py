"""Tables: rankers × metrics, read from scores."""

from pathlib import Path

import pandas as pd

from dewpoint.artifact import read_manifest


def write_table(settings, scores: list[Path], output: Path) -> None:
    """The table as CSV at `output`, with full digits, and as Markdown beside it, with three."""
    rows = [read_manifest(path)["facts"] for path in scores]
    values = [[row["metrics"][metric] for metric in settings.metrics] for row in rows]
    table = pd.DataFrame(values, index=pd.Index(settings.rankers, name="ranker"), columns=settings.metrics)
    output.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(output)
    title = settings.title or output.stem
    header = f"**{title}** ({settings.on}, {rows[0]['queries']:,} queries)"
    output.with_suffix(".md").write_text(f"{header}\n\n{markdown(table)}\n")


def markdown(table: pd.DataFrame) -> str:
    rows = [[name, *(f"{value:.3f}" for value in values)] for name, *values in table.itertuples()]
    cells = [["ranker", *table.columns], *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(_pad, row, widths, range(len(row)))) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":") for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _pad(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)
