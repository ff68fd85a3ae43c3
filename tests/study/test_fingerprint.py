"""Fingerprints: layout is nothing, code is everything, and only for the programs that run it."""

import shutil
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from dewpoint.study import fingerprint as module
from dewpoint.study.fingerprint import NO_RESULT, fingerprint, reach
from programs import SCRIPTS

PROGRAMS = sorted(path.stem for path in SCRIPTS.glob("*.py"))


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """A copy of scripts/ that may be edited."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "SCRIPTS", tmp_path / "scripts")
    return tmp_path / "scripts"


def prints(scripts: Path | None = None) -> dict[str, str]:
    module._parse.cache_clear()
    return {program: fingerprint(program) for program in PROGRAMS}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def imports(tmp_path_factory) -> dict[str, set[str]]:
    """Our files that each program's byte code imports, by the standard library's finder."""
    root = tmp_path_factory.mktemp("packages") / "scripts"
    shutil.copytree(SCRIPTS, root, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in {path.parent for path in root.rglob("*.py")}:
        (folder / "__init__.py").touch()  # the finder knows no namespace packages
    found = {}
    for program in PROGRAMS:
        finder = ModuleFinder([str(root)])
        finder.run_script(str(root / f"{program}.py"))
        files = [Path(module.__file__) for module in finder.modules.values() if module.__file__]
        names = {path.relative_to(root).as_posix() for path in files}
        found[program] = {name for name in names if (SCRIPTS / name).exists()}
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_program_reaches_is_what_it_imports(imports, program):
    reached = {path.relative_to(SCRIPTS).as_posix() for path in reach(SCRIPTS / f"{program}.py")}
    assert reached == imports[program]


def test_it_is_the_same_wherever_the_project_lies(scripts):
    moved = prints()
    module.SCRIPTS = SCRIPTS
    assert moved == prints()


FILE = "dewpoint/data/masking.py"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""', '"""Another word. '),
        ("import numpy as np\n", "# a comment\n\n\nimport numpy as np  # and another\n"),
        ("        masked = ids.copy()\n", "\n        masked = (\n            ids.copy()\n        )\n"),
        ("RATE = 0.15", "RATE = 0.150"),
    ],
)
def test_layout_comments_and_docstrings_are_nothing(scripts, old, new):
    before = prints()
    edit(scripts / FILE, old, new)
    assert prints() == before


def test_a_docstring_more_or_less_is_nothing(scripts):
    path = scripts / "dewpoint/errors_of_ours.py"
    edit(scripts / FILE, "import numpy as np\n", "import numpy as np\nfrom dewpoint import errors_of_ours\n")
    seen = set()
    for docstring in ("", '    """What it does."""\n', '    """What it does.\n\n    And why.\n    """\n'):
        path.write_text(f"def f():\n{docstring}    return 1\n\n\nclass A(Exception):\n{docstring or '    pass'}\n")
        seen.add(prints()["mlm"])
    assert len(seen) == 1


@pytest.mark.parametrize(
    "file",
    [
        FILE,
        "dewpoint/data/runs.py",
        "dewpoint/training/losses.py",
        "dewpoint/search/bm25.py",
        "dewpoint/data/sources/reading.py",
    ],
)
def test_an_edit_changes_the_programs_that_run_it(scripts, imports, file):
    before = prints()
    with open(scripts / file, "a") as text:
        text.write("\nEDITED = True\n")
    after = prints()
    changed = {name for name in PROGRAMS if before[name] != after[name]}
    assert changed == {name for name in PROGRAMS if file in imports[name]} != set()


@pytest.mark.parametrize("file", sorted(NO_RESULT))
def test_what_cannot_change_a_result_changes_none(scripts, file):
    before = prints()
    with open(scripts / file, "a") as text:
        text.write("\nEDITED = True\n")
    assert prints() == before


def test_prepare_is_made_of_every_source():
    """Sources are picked by name; one that the program did not import would change unseen."""
    reached = {path.name for path in reach(SCRIPTS / "prepare.py") if path.parent.name == "sources"}
    assert reached == {path.name for path in (SCRIPTS / "dewpoint/data/sources").glob("*.py")}


def test_no_program_is_another():
    found = prints()
    assert len(set(found.values())) == len(found)
