"""What tests on random mistakes share: how many there are, and that each one ends.

DEWPOINT_FUZZ=20 makes twenty times as many, other ones each time (`make fuzz`); without it they are always the same.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings

from dewpoint.errors import LONGEST

TIMES = int(os.environ.get("DEWPOINT_FUZZ", "1"))
SECONDS = 20  # of one example


def fuzzed(examples: int) -> settings:
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def ending() -> Iterator[None]:
    """Stops what hangs."""

    def stop(*_) -> None:
        raise TimeoutError(f"did not end in {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def is_one_line(message: str) -> bool:
    return len(message.splitlines()) == 1 and len(message) <= LONGEST + 3
