"""Progress: lines where a log is written, a bar where someone looks; rates and times that follow from the clock."""

import io
import sys

import pytest

from dewpoint import progress
from dewpoint.progress import Progress, clock


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clocked(monkeypatch):
    monkeypatch.setattr(progress, "time", fake := Clock())
    return fake


def run(clocked, monkeypatch, live: bool) -> str:
    """A hundred units of 50 tokens, one a second; forty of them were done before."""
    stream = io.StringIO()
    stream.isatty = lambda: live
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Progress(100, "steps", done=40)
    for _ in range(60):
        clocked.now += 1
        bar.add(1, 50, "loss 1.0  ")
    return stream.getvalue()


def test_a_log_gets_a_line_every_ten_seconds_and_the_last(clocked, monkeypatch):
    lines = run(clocked, monkeypatch, live=False).splitlines()
    assert lines[0] == "50/100 steps  loss 1.0  50 tokens/s  0:50 left"
    assert lines[-1] == "100/100 steps  loss 1.0  50 tokens/s  0:00 left" and len(lines) == 6


def test_a_terminal_gets_a_bar_that_fills(clocked, monkeypatch):
    shown = run(clocked, monkeypatch, live=True)
    assert shown.count("\r") == 60 and shown.count("\n") == 1 and shown.endswith("left\n")
    assert [line.count("█") for line in shown.split("\r")[1:]][-1] == progress.BAR


def test_hours_are_told():
    assert [clock(seconds) for seconds in (5, 65, 3600 * 11 + 62)] == ["0:05", "1:05", "11:01:02"]
