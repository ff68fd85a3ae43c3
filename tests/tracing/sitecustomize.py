"""Writes down which functions of a program of scripts/, and of the modules below, call each other.

Python imports it at its start where this folder is on PYTHONPATH. With TRACED_CALLS=FOLDER, each program writes a file
of JSON lines there: first its arguments, then a line for each new pair of functions, at once, so that nothing is lost
however a process ends.
"""

import builtins
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import FrameType

FUNCTION = 1  # a code's flag, which modules and bodies of classes lack
PYDANTIC = f"{os.sep}pydantic{os.sep}"


def trace(folder: Path, program: Path) -> None:
    """Write down from here on."""
    scripts, files, seen = f"{program.parent}{os.sep}", {}, set()
    file = start(folder)

    def where(name: str) -> str:
        """A file below scripts/; "pydantic" for those of that library, nothing for all others."""
        if name not in files:
            path = str(Path.cwd() / name)
            inside = path.startswith(scripts) and path.endswith(".py")
            files[name] = path.removeprefix(scripts) if inside else "pydantic" if PYDANTIC in path else ""
        return files[name]

    def event(frame: FrameType, what: str, _) -> None:
        code = frame.f_code
        if what != "call" or where(code.co_filename) in ("", "pydantic") or not code.co_flags & FUNCTION:
            return
        caller = frame.f_back
        while caller and not where(caller.f_code.co_filename):
            caller = caller.f_back
        called, calling = [where(code.co_filename), code.co_firstlineno], None
        if caller:
            by = caller.f_code
            is_function = bool(by.co_flags & FUNCTION)
            line = by.co_firstlineno if is_function else caller.f_lineno
            calling = [where(by.co_filename), line, not is_function]
        pair = json.dumps([called, calling])
        if pair not in seen:
            seen.add(pair)
            os.write(file, f"{pair}\n".encode())

    def forked() -> None:
        nonlocal file
        file = start(folder)
        seen.clear()

    imported, ours = builtins.__import__, {path.stem for path in program.parent.iterdir()}

    def importing(name: str, globals=None, locals=None, fromlist=(), level: int = 0):
        """As ever; while a library is imported none of ours is called, and to look at all its calls takes long."""
        if level or name.partition(".")[0] in ours or sys.getprofile() is not event:
            return imported(name, globals, locals, fromlist, level)
        sys.setprofile(None)
        try:
            return imported(name, globals, locals, fromlist, level)
        finally:
            sys.setprofile(event)

    builtins.__import__ = importing
    os.register_at_fork(after_in_child=forked)
    threading.setprofile(event)
    sys.setprofile(event)


def start(folder: Path) -> int:
    """A new file for this process, as a descriptor that other programs do not inherit."""
    path = folder / f"{os.getpid()}-{time.time_ns()}.jsonl"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
    os.write(file, f"{json.dumps(sys.argv)}\n".encode())
    return file


def trace_children() -> None:
    """Of the process that programs begin in: each from where it becomes one."""
    import runpy

    run_path = runpy.run_path

    def traced(program: str, **how):
        trace(Path(os.environ["TRACED_CALLS"]), Path.cwd() / program)
        return run_path(program, **how)

    runpy.run_path = traced


if os.environ.get("TRACED_CALLS") and Path(sys.argv[0]).name == "warm.py":
    trace_children()
elif os.environ.get("TRACED_CALLS") and Path(sys.argv[0]).parent.name == "scripts":
    trace(Path(os.environ["TRACED_CALLS"]), Path.cwd() / sys.argv[0])
