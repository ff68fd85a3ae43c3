"""Fill a table: rankers × metrics, as CSV and as Markdown."""

from dewpoint.program import run
from dewpoint.report.tables import write_table

if __name__ == "__main__":
    run(write_table)
