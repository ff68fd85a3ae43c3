"""Times what a program does for manifests and checks, from its start to its end.

Python imports it at its start where this folder is on PYTHONPATH. With TIMED_TRUST=FOLDER, each program of scripts/
that loads dewpoint.artifact writes a file there: seconds of the process, and of these functions, of which none counts
within another.
"""

import atexit
import importlib.abc
import importlib.util
import json
import os
import sys
import threading
import time
from pathlib import Path

BEGAN = time.perf_counter()
COUNTED = {"Artifact": ("__init__", "is_made", "seal"), "": ("member",)}
spent: dict[str, float] = {}
inside = threading.local()


def timed(function):
    def wrapped(*given, **named):
        if getattr(inside, "any", False):
            return function(*given, **named)
        inside.any, began = True, time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            inside.any = False
            spent[function.__name__] = spent.get(function.__name__, 0.0) + time.perf_counter() - began

    return wrapped


class Finder(importlib.abc.MetaPathFinder):
    """Finds the module as it would be found, and wraps its functions once it is loaded."""

    def find_spec(self, name, path, target=None):
        if name != "dewpoint.artifact":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            for owner, functions in COUNTED.items():
                where = getattr(module, owner) if owner else module
                for function in functions:
                    setattr(where, function, timed(getattr(where, function)))

        spec.loader.exec_module = exec_module
        return spec


def say(folder: Path) -> None:
    if spent:
        said = {"seconds": time.perf_counter() - BEGAN, "spent": spent}
        (folder / f"{os.getpid()}-{time.time_ns()}.json").write_text(json.dumps(said))


if os.environ.get("TIMED_TRUST"):
    sys.meta_path.insert(0, Finder())
    atexit.register(say, Path(os.environ["TIMED_TRUST"]))
