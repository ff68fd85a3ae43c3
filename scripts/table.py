"""Fill a table: rankers × metrics, or what a paper printed beside what was measured; as CSV, Markdown and LaTeX."""

from dewpoint.program import run
from dewpoint.report.tables import write_table

if __name__ == "__main__":
    run(write_table)
