"""How a job's last attempt ended, from its log, which `logged.sh` writes."""

import os
from pathlib import Path

from dewpoint.errors import Stopped, UserError

HEADER = "== attempt "
TAIL = 1 << 20  # bytes of a log that are read


def last_attempt(log: Path) -> list[str]:
    """What the last attempt said, without its header; nothing where no log is."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    headers = [number for number, line in enumerate(lines) if line.startswith(HEADER)]
    return [line for line in lines[headers[-1] + 1 if headers else 0 :] if line.strip()]


def _line(lines: list[str], begins: str) -> str | None:
    return next((line for line in reversed(lines) if line.startswith(begins)), None)


def last_word(log: Path) -> str:
    """The line that says why the last attempt ended."""
    lines = last_attempt(log)
    named = _line(lines, UserError.begins) or _line(lines, Stopped.begins)
    return named or (lines[-1] if lines else "ended without a word")


def worth(log: Path, retries: int) -> int:
    """How often a job is tried again whose last attempt left this log.

    A mistake in what it was given stays one. A fault of the program may be the machine's: once more. A training that
    was stopped goes on where it was, and one that was killed without a word from its checkpoint: `retries`.
    """
    lines = last_attempt(log)
    if _line(lines, UserError.begins):
        return 0
    faulty = _line(lines, "Traceback ") and not _line(lines, Stopped.begins)  # torchrun has one for each signal
    return min(retries, 1) if faulty else retries
