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
            of = getattr(node, "value", None)
            if isinstance(node, ast.Attribute) and getattr(of, "attr", getattr(of, "id", "")) in ("settings", "how"):
                names.add(node.attr)
    return names
