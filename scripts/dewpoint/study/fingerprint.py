"""The fingerprint of a program: a hash of its own code and of all it imports below scripts/.

Comments, docstrings and layout are left out, and so are the modules that cannot change a result.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).parents[2]
DOWNLOADS = ("data/catalogue", "data/download")  # what comes is checked; where from is in the settings
NO_RESULT = {f"dewpoint/{name}.py" for name in ("errors", "program", "progress", "lease", "artifact", *DOWNLOADS)}


def fingerprint(program: str) -> str:
    """Sixteen digits for scripts/<program>.py, with its modules' templates; the same wherever the project lies."""
    digest = hashlib.sha256()
    for path in sorted(reach(SCRIPTS / f"{program}.py")):
        name = path.relative_to(SCRIPTS).as_posix()
        if name not in NO_RESULT:
            digest.update(f"{name}\n{_parse(path)[0]}\n".encode())
            for template in sorted(path.parent.glob(f"{path.stem}.*.j2")):
                digest.update(template.read_bytes())
    return digest.hexdigest()[:16]


def reach(program: Path) -> set[Path]:
    """The program's file and every file below scripts/ that it imports, directly or not."""
    found, todo = set(), [program]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += _parse(path)[1]
    return found


@cache
def _parse(path: Path) -> tuple[str, tuple[Path, ...]]:
    """(the code without what does not matter, the project's files it imports)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[Path] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {file for alias in node.names for file in _files(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported |= _files(node.module)
            imported |= {file for alias in node.names for file in _files(f"{node.module}.{alias.name}")}
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree), tuple(sorted(imported))


def _files(module: str) -> set[Path]:
    """The files that importing a dotted name runs, as far as they are ours."""
    parts, found = module.split("."), set()
    for end in range(1, len(parts) + 1):
        path = SCRIPTS.joinpath(*parts[:end])
        found |= {file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()}
    return found
