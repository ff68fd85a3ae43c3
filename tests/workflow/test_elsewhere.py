"""The workflow from another folder: by --directory, as a module, out of a folder that nobody writes to."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from workflow.conftest import PARTS, STUDY, Project, environment

MODULE = """
configfile: "mine.yaml"


module dewpoint:
    snakefile:
        "{snakefile}"
    config:
        config


use rule * from dewpoint as dewpoint_*


rule copied:
    default_target: True
    input:
        rules.dewpoint_all.input,
        "results/mini/tables/stages.csv",
    output:
        "copied.csv",
    shell:
        "cp {{input[0]}} {{output}}; cp results/mini/tables/stages.csv {{output}}"
"""
WORDS = {
    "datasets": {"docs": {"source": "pydocs", "packages": ["json", "email"]}},
    "rankers": {"bm25": {"kind": "bm25", "depth": 20}},
    "tables": {"t": {"rankers": ["bm25"], "on": "docs/test", "metrics": ["MRR@10"]}},
}
TRIGGERS = ("--rerun-triggers", "mtime", "params", "input")


def run(folder: Path, *arguments: str) -> str:
    """Snakemake with a folder as its working directory; what it said."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def read_only(finished: Project, tmp_path_factory) -> Path:
    """A pristine project whose files and folders nobody may write to."""
    project = tmp_path_factory.mktemp("read-only") / "project"
    project.mkdir()
    for part in PARTS:
        source = finished.folder / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, project / part)
    for path in [*project.rglob("*"), project]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return project


@pytest.fixture
def elsewhere(finished: Project, tmp_path) -> Path:
    """A folder with the results of the finished miniature, and nothing of the project."""
    for part in ("results", "data", ".snakemake"):
        shutil.copytree(finished.folder / part, tmp_path / "elsewhere" / part, copy_function=shutil.copyfile)
    return tmp_path / "elsewhere"


def test_results_are_found_from_the_working_directory(read_only, elsewhere):
    before = listing(read_only)
    told = run(elsewhere, "--snakefile", f"{read_only}/Snakefile", "--directory", str(elsewhere))
    assert "Nothing to be done" in told
    (elsewhere / "results/mini/tables/stages.csv").unlink()
    run(read_only.parent, "--snakefile", f"{read_only}/Snakefile", "--directory", str(elsewhere))
    assert (elsewhere / "results/mini/tables/stages.csv").is_file()
    assert listing(read_only) == before


def test_a_study_and_a_config_of_ones_own(read_only, tmp_path):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/words.yaml").write_text(yaml.safe_dump(WORDS))
    (tmp_path / "config.yaml").write_text("study: studies/words.yaml\noutput: made\n")
    before = listing(read_only)
    run(tmp_path, "--snakefile", f"{read_only}/Snakefile")
    assert pd.read_csv(tmp_path / "made/words/tables/t.csv")["MRR@10"][0] > 0
    assert json.loads((tmp_path / "data/docs/manifest.json").read_text())["facts"]["study"] == "studies/words.yaml"
    assert listing(read_only) == before


def test_as_a_module(read_only, elsewhere):
    """Its rules have other names there, and what is finished stays finished."""
    (elsewhere / "Snakefile").write_text(MODULE.format(snakefile=read_only / "Snakefile"))
    (elsewhere / "mine.yaml").write_text(f"study: {STUDY}\n")
    dry = run(elsewhere, "--dry-run", *TRIGGERS)
    assert [line for line in dry.splitlines() if line.startswith(("rule ", "localrule "))] == ["rule copied:"]
    (elsewhere / "results/mini/tables/stages.csv").unlink()
    run(elsewhere, *TRIGGERS)
    assert (elsewhere / "copied.csv").read_text() == (elsewhere / "results/mini/tables/stages.csv").read_text()


def test_a_snakefile_without_its_programs_is_refused_in_a_line(read_only, tmp_path):
    """As Snakemake keeps one that it has fetched."""
    shutil.copyfile(read_only / "Snakefile", tmp_path / "Snakefile")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment())
    told = f"{tmp_path}: the programs are run from a folder on this machine"
    assert done.returncode == 1 and told in done.stdout + done.stderr
