"""What code reads from its settings."""

import ast

from dewpoint.study.fingerprint import reached
from dewpoint.study.modules import Modules
from programs import SCRIPTS


def read_by(*roots: str) -> set[str]:
    """The names that some code and all that it leads to read from settings, which `live` calls how to encode."""
    modules, names = Modules(SCRIPTS), set()
    for module, name in reached(*roots, modules=modules):
        for node in (node for part in modules.get(module).definitions[name].statements for node in ast.walk(part)):
            match node:
                case ast.Attribute(value=of, attr=name):
                    pass
                case ast.Call(func=ast.Name("getattr"), args=[of, ast.Constant(name), *_]):  # what only some kinds have
                    pass
                case _:
                    continue
            if getattr(of, "attr", getattr(of, "id", "")) in ("settings", "how"):
                names.add(name)
    return names
