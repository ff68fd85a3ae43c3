"""For all tests, before torch is loaded."""

import os

# models here are tiny: more threads only wait for each other, and for whatever else the machine does
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# the same examples each time; others with DEWPOINT_FUZZ (see fuzzing.py)
settings.register_profile("same", derandomize=True, deadline=None)
if "DEWPOINT_FUZZ" not in os.environ:
    settings.load_profile("same")


def pytest_collection_modifyitems(items) -> None:
    """The longest first, so that of two processes none is left with them in the end."""
    items.sort(key=lambda item: "/workflow/" not in str(item.path))


def pytest_make_parametrize_id(config, val, argname: str) -> str | None:
    """What is packed holds the time, and two processes must call a test alike."""
    return argname if isinstance(val, bytes) else None
