"""Which definitions of scripts/ a program called, as tracing/sitecustomize.py wrote it down."""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from dewpoint.study.definitions import GUARDED
from dewpoint.study.fingerprint import has_no_result
from dewpoint.study.modules import Modules, Target

TRACING = Path(__file__).parent / "tracing"


class Call(NamedTuple):
    """Of a function in a definition: by which other, at its import or later; by none where a thread begins."""

    called: Target
    by: Target | None
    at_import: bool


def environment(folder: Path) -> dict[str, str]:
    """What makes programs write down their calls to a folder."""
    folder.mkdir(exist_ok=True)
    return {"TRACED_CALLS": str(folder), "PYTHONPATH": str(TRACING)}


def calls(folder: Path, modules: Modules) -> dict[tuple[str, ...], set[Call]]:
    """Program and its arguments → its calls, in all of its processes."""
    found, places = defaultdict(set), {}

    def place(file: str, line: int) -> Target:
        if file == "pydantic":
            return "", file
        module = file.removesuffix(".py").replace(os.sep, ".").removesuffix(".__init__")
        if module not in places:
            places[module] = lines(modules, module)
        return module, places[module][line]

    for path in folder.glob("*.jsonl"):
        arguments, *pairs = map(json.loads, path.read_text().splitlines())
        for called, by in pairs:
            found[tuple(arguments)].add(Call(place(*called), by and place(*by[:2]), bool(by and by[2])))
    return found


def lines(modules: Modules, module: str) -> dict[int, str]:
    """Line → the definition at the top of the module that it belongs to."""
    found = {}
    for name, definition in modules.get(module).definitions.items():
        for statement in definition.statements:
            first = min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", []))])
            found |= {line: name for line in range(first, statement.end_lineno + 1)}
    return found


def unhashed(made: set[Call], hashed: set[Target], modules: Modules) -> set[Target]:
    """What a program called and is not hashed, declarations and what they alone call left out.

    A constant, class or decorated function that is not hashed may call what it likes when its module is imported.
    """
    called_by = defaultdict(set)
    for called, by, at_import in made:
        if by is None or by[1] == GUARDED or (at_import and by in hashed):
            called_by[None].add(called)
        elif not at_import:
            called_by[by].add(called)
    running, todo = set(), [None]
    while todo:
        new = {called for called in called_by[todo.pop()] if not modules.is_declaration(*called)} - running
        running |= new
        todo += new
    return {target for target in running if not has_no_result(target[0])} - hashed
