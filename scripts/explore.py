"""Gather what the report's explorer of queries shows of a table."""

from dewpoint.program import run
from dewpoint.report.explored import write_explored

if __name__ == "__main__":
    run(write_explored)
