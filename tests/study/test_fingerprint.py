"""Fingerprints of the programs: layout and what they do not run is nothing, each definition that they run counts."""

import ast
import copy
import shutil
import subprocess
import sys
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from dewpoint.study.definitions import GUARDED, STATEMENTS, Definition
from dewpoint.study.fingerprint import NO_RESULT, fingerprint, follow, hashed, reached
from dewpoint.study.kind import TAGS, kinds, work_of
from dewpoint.study.modules import Modules, Target
from programs import SCRIPTS

FUNCTIONS = ("work", "write", "rehearse", "derive", "index", "rank", "probe", "latency", "live")
PROGRAMS = {path.stem: path.stem for path in SCRIPTS.glob("*.py") if path.stem != "work"}  # of each, its root
PROGRAMS |= {  # what work.py and others call of a kind, unless it does as another kind does
    f"{kind.module()} {function}": f"{kind.module()}:{function}"
    for folder in TAGS
    for name, kind in kinds(folder).items()
    for function in FUNCTIONS
    if kind.has(function) and work_of(folder, name, function).__module__ == kind.module()
}
EDITED = ast.parse("assert 'edited'").body


@pytest.fixture(scope="module")
def modules() -> Modules:
    return Modules(SCRIPTS)


@pytest.fixture(scope="module")
def runs(modules) -> dict[str, set[Target]]:
    """What each program reaches."""
    return {program: reached(root, modules=modules) for program, root in PROGRAMS.items()}


@pytest.fixture
def scripts(tmp_path) -> Path:
    """A copy of scripts/ that may be edited."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "scripts"


def prints(modules: Modules) -> dict[str, str]:
    return {program: fingerprint(root, modules=modules) for program, root in PROGRAMS.items()}


def test_it_is_the_same_wherever_the_project_lies(scripts, modules):
    assert prints(Modules(scripts)) == prints(modules)


def test_no_program_is_another(modules):
    assert len(set(prints(modules).values())) == len(PROGRAMS)


def test_nothing_is_imported_to_find_it_out():
    code = "from dewpoint.study.fingerprint import fingerprint; "
    code += "fingerprint('encode', 'dewpoint.recipes.retriever:work'); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", f"import sys; {code}"], cwd=SCRIPTS, capture_output=True, text=True)
    loaded = told.stdout.split()
    assert "dewpoint.study.fingerprint" in loaded
    ours = {name for name in loaded if name.startswith("dewpoint.")}
    assert {name for name in ours if not name.startswith("dewpoint.study")} == {"dewpoint.errors"}
    assert not {"torch", "numpy", "pydantic"} & set(loaded)


def test_what_a_program_reaches_lies_in_what_it_imports(scripts, runs):
    """By the standard library's finder, which reads byte code."""
    for folder in {path.parent for path in scripts.rglob("*.py")}:
        (folder / "__init__.py").touch()  # the finder knows no namespace packages
    for program, root in PROGRAMS.items():
        module = root.split(":")[0]
        finder = ModuleFinder([str(scripts)])
        finder.run_script(str(scripts / f"{module.replace('.', '/')}.py"))
        assert {module for module, _ in runs[program]} <= {module, *finder.modules}


# --- what is nothing ------------------------------------------------------------------------------


def rewritten(path: Path, text: str) -> None:
    ast.parse(text)
    path.write_text(text)


def unused(text: str) -> str:
    return f"import string\n{text}\n\nUNUSED = string.digits\n\ndef unused():\n    run()\n\nclass Unused:\n    pass\n"


def documented(text: str) -> str:
    """Another layout, and other docstrings wherever they may stand."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            if ast.get_docstring(node) is not None:
                node.body.pop(0)
            node.body.insert(0, ast.Expr(ast.Constant("Another docstring.")))
    return f"# a comment\n\n{ast.unparse(tree)}  # and another\n"


def reordered(text: str) -> str:
    """The functions in the opposite order; constants and classes may be needed on the way."""
    body = ast.parse(text).body
    at = [index for index, node in enumerate(body) if isinstance(node, ast.FunctionDef) and not node.decorator_list]
    moved = [body[index] for index in reversed(at)]
    for index, node in zip(at, moved, strict=True):
        body[index] = node
    return ast.unparse(ast.Module(body, []))


@pytest.mark.parametrize("change", [unused, documented, reordered])
def test_what_does_not_run_is_nothing(scripts, modules, change):
    """In all modules at once, those left out that a program passes around as a whole."""
    whole = {module for root in PROGRAMS.values() for module, name in follow(root, modules=modules) if not name}
    for path in scripts.rglob("*.py"):
        if ".".join(path.relative_to(scripts).with_suffix("").parts) not in whole:
            rewritten(path, change(path.read_text()))
    assert prints(Modules(scripts)) == prints(modules)


def test_what_cannot_change_a_result_changes_none(scripts, modules):
    for place in (scripts / module.replace(".", "/") for module in NO_RESULT):
        for path in place.glob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
            rewritten(path, f"{path.read_text()}\nprint('edited')\n")
    assert prints(Modules(scripts)) == prints(modules)


def test_a_docstring_more_or_less_is_nothing(tmp_path):
    seen = set()
    for docstring in ("", '    """What it does."""\n', '    """What it does.\n\n    And why.\n    """\n'):
        (tmp_path / "a.py").write_text(f"def f():\n{docstring}    return A\n\n\nclass A:\n{docstring or '    pass'}\n")
        seen.add(fingerprint("a:f", modules=Modules(tmp_path)))
    assert len(seen) == 1


# --- what is something ----------------------------------------------------------------------------


def edited(definition: Definition, name: str) -> Definition:
    """It with one more statement, a constant with another value; it mentions nothing else."""
    statements = copy.deepcopy(definition.statements)
    last = statements[-1]
    if name in (STATEMENTS, GUARDED):
        statements += EDITED
    elif isinstance(last, ast.FunctionDef | ast.ClassDef):
        last.body += EDITED
    else:
        last.value = ast.Tuple([last.value], ast.Load())
    return Definition(statements, definition.imports)


def test_each_definition_changes_the_programs_that_run_it_and_no_others(modules, runs):
    before = prints(modules)
    for module, name in sorted(set().union(*runs.values())):
        definitions = modules.get(module).definitions
        kept, definitions[name] = definitions[name], edited(definitions[name], name)
        changed = {program for program in PROGRAMS if hashed(runs[program], modules) != before[program]}
        definitions[name] = kept
        assert changed == {program for program in PROGRAMS if (module, name) in runs[program]}, f"{module}:{name}"
    assert prints(modules) == before


def test_an_edit_of_a_file_changes_the_programs_that_run_it(scripts, modules):
    before, path = prints(modules), scripts / "dewpoint/search/indexes.py"
    text = path.read_text()
    changed = {}
    for name in ("EACH, LEAST = 64", "HELD = 2**26"):
        assert name in text
        rewritten(path, text.replace(name, f"{name[:-1]}1"))
        after = prints(Modules(scripts))
        changed[name[:4]] = {program for program in PROGRAMS if after[program] != before[program]}
    assert changed["EACH"] == {"dewpoint.rankers.dense index", "dewpoint.rankers.late_interaction index"}
    kinds = ("dense", "late_interaction")
    answering = {f"dewpoint.rankers.{kind} {function}" for kind in kinds for function in ("probe", "latency", "live")}
    assert changed["HELD"] == answering
