"""Who may know whom: kinds know the library, the study knows no kind, the library knows neither."""

import ast
from pathlib import Path

import pytest

from programs import SCRIPTS

ROOT = SCRIPTS.parent
KINDS = {"sources", "recipes", "rankers", "losses", "batches", "analyses"}
LIBRARY = ["data", "models", "training", "search", "evaluation", "report"]  # each knows those before it, and itself


def name_of(path: Path, folder: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path, SCRIPTS): path for path in sorted(SCRIPTS.rglob("*.py"))}


def imported(path: Path, module: str) -> set[str]:
    """All that is imported anywhere in a file: at its top, in functions, for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            found |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return found


def package(module: str) -> str:
    """The part of the project that a module is in: "study"; "" for one right in dewpoint/."""
    _, _, rest = module.partition(".")
    return rest.partition(".")[0] if f"dewpoint.{rest}" in MODULES and "." in rest else ""


def known_to(module: str) -> set[str]:
    """The parts of the project that a module imports from."""
    ours = [one for one in imported(MODULES[module], module) if one.startswith("dewpoint.")]
    parts = {one.split(".")[1] for one in ours}
    return {part for part in parts if (SCRIPTS / "dewpoint" / part).is_dir()}


def of(*packages: str) -> list[str]:
    return [module for module in MODULES if module.startswith("dewpoint") and package(module) in packages]


def test_all_parts_are_known_here():
    folders = {path.name for path in (SCRIPTS / "dewpoint").iterdir() if any(path.glob("*.py"))}
    assert folders == {"study", *KINDS, *LIBRARY}
    assert known_to("dewpoint.study.bases") >= {"data", "study"} and "losses" in known_to("dewpoint.recipes._retrieval")


@pytest.mark.parametrize("module", of("study"))
def test_the_study_knows_no_kind(module):
    assert not known_to(module) & KINDS


@pytest.mark.parametrize("module", [one for one in of("", *LIBRARY) if one != "dewpoint.program"])
def test_the_library_knows_neither_study_nor_kinds(module):
    assert not known_to(module) & {"study", *KINDS}


@pytest.mark.parametrize("module", of(*LIBRARY))
def test_the_library_is_in_layers(module):
    before = {*LIBRARY[: LIBRARY.index(package(module)) + 1]}
    assert not known_to(module) - before


def test_what_all_share_knows_none_of_them():
    for module in of(""):
        assert not known_to(module) or module == "dewpoint.program", module


def test_rules_alone_know_snakemake():
    files = [path for folder in ("scripts", "benchmarks", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > len(MODULES)
    for path in files:
        names = {name.split(".")[0] for name in imported(path, name_of(path, ROOT))}
        assert "snakemake" not in names, path
    rules = [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    assert any("from snakemake" in path.read_text(encoding="utf-8") for path in rules)
