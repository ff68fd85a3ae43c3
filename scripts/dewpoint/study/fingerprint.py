"""The fingerprint of code: a hash of some definitions and of all others below scripts/ that they lead to.

Followed are the names that a definition mentions, to functions, classes and constants, through modules. A module that
is passed around as a value counts whole, and a module's statements that are no definitions always count: they run when
it is imported. Comments, docstrings and layout are left out, and so are what cannot change a result and declarations,
which act only through settings and inputs.
"""

import hashlib
from functools import cache
from pathlib import Path

from dewpoint.errors import UserError
from dewpoint.study.definitions import GUARDED, STATEMENTS
from dewpoint.study.modules import Modules, Target

SCRIPTS = Path(__file__).parents[2]
DOWNLOADS = ("data.catalogue", "data.download")  # what comes is checked; where from is in the settings
# modules and packages that are not followed
RECORDS = ("artifact", "notes", "environment", "lease", "tracked")
NO_RESULT = {f"dewpoint.{name}" for name in ("errors", "program", "progress", "study", *RECORDS, *DOWNLOADS)}


def fingerprint(*roots: str, modules: Modules | None = None) -> str:
    """Sixteen digits for definitions "module:name"; "module" alone is its `main`, or what its main guard mentions."""
    modules = modules or _scripts()
    return hashed(reached(*roots, modules=modules), modules)


def hashed(found: set[Target], modules: Modules) -> str:
    """The fingerprint of these definitions: their code, what the names in it stand for, templates beside them."""
    digest = hashlib.sha256()
    for module, name in sorted(found):
        digest.update(modules.record(module, name))
    for module in sorted({module for module, _ in found} & modules.templates.keys()):
        for template in modules.templates[module]:
            digest.update(template.read_bytes())
    return digest.hexdigest()[:16]


def reached(*roots: str, modules: Modules | None = None) -> set[Target]:
    """All (module, definition) that count in a fingerprint; a module's statements are one definition."""
    modules = modules or _scripts()
    found = {(module, name) for module, name in follow(*roots, modules=modules) if name}
    return {(module, name) for module, name in found if modules.get(module).definitions[name].statements}


def follow(*roots: str, modules: Modules) -> set[Target]:
    """What the roots lead to, with ("module", "") for one that counts whole."""
    found: set[Target] = set()
    todo = [target for root in roots for target in _root(root, modules)]
    while todo:
        module, name = target = todo.pop()
        if target in found or not module or has_no_result(module):
            continue
        read = modules.get(module)
        if name in read.definitions and modules.is_declaration(module, name):
            continue
        found.add(target)
        imports = read.imports if name in ("", STATEMENTS) else read.definitions[name].imports
        todo += [(module, STATEMENTS), *_run(imports.modules, modules)]
        todo += [(module, part) for part in read.entered]
        if name:
            todo += [target for targets in modules.links(module, name).values() for target in targets]
        else:
            todo += [(module, part) for part in read.definitions.keys() - {GUARDED}]
            todo += [(part, "") for part in modules.submodules(module)]
            passed_on = [target for part in read.imports.names for target in modules.targets(module, (part,))]
            todo += [(module, part) for module, part in passed_on if part]
    return found


def has_no_result(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in NO_RESULT)


def _run(imported: set[str], modules: Modules) -> list[Target]:
    """The statements that run when these modules are imported, packages around them first."""
    parts = [name.split(".") for name in imported]
    names = {".".join(part[:end]) for part in parts for end in range(1, len(part) + 1)}
    return [(name, STATEMENTS) for name in names if modules.get(name)]


def _root(root: str, modules: Modules) -> list[Target]:
    module, _, name = root.partition(":")
    if not modules.get(module):
        raise UserError(f"{root}: no module '{module}' in {modules.folder}")
    found = modules.targets(module, (name or "main",))
    if not found and not name and modules.get(module).definitions[GUARDED].statements:
        return [(module, GUARDED)]
    if not found:
        raise UserError(f"{root}: no '{name or 'main'}' in {module}")
    return found


@cache
def _scripts() -> Modules:
    return Modules(SCRIPTS)
