"""A study's analyses as the page shows them: their figures, and the first rows of what they wrote."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dewpoint.artifact import member, read_manifest

ROWS = 30  # shown of a table
FEW = 12  # of so many one sees all at once


@dataclass(frozen=True)
class Table:
    name: str
    columns: list[str]
    rows: list[list[str]]
    left: int  # rows that are not shown

    @property
    def is_short(self) -> bool:
        return len(self.rows) <= FEW


@dataclass(frozen=True)
class Analysis:
    title: str
    kind: str
    says: str  # what came of it, for the page's summary, too; or nothing
    figures: list[str]  # SVG
    tables: list[Table]


def shown(name: str, entry, manifest: Path) -> Analysis:
    """`entry` is as a study has it."""
    made = read_manifest(manifest)
    files = {file: member(manifest, file) for file in made["files"]}
    figures = [path.read_text(encoding="utf-8") for file, path in files.items() if file.endswith(".svg")]
    tables = [table(path) for file, path in files.items() if file.endswith(".parquet")]
    return Analysis(entry.title or name, entry.tag(), made["facts"].get("says", ""), figures, tables)


def table(path: Path) -> Table:
    values = pd.read_parquet(path)
    rows = [[written(value) for value in row] for row in values.head(ROWS).itertuples(index=False)]
    return Table(path.stem, list(map(str, values.columns)), rows, max(0, len(values) - ROWS))


def written(value) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
