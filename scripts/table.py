"""Fill a table: rankers × metrics, as CSV and as Markdown."""

from pathlib import Path

from dewpoint.program import Settings, run
from dewpoint.report.tables import write_table


def main(settings: Settings, scores: list[Path], output: Path) -> None:
    write_table(settings, scores, output)


if __name__ == "__main__":
    run(main)
