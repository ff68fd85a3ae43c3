"""The quickstart in miniature, run once by Snakemake in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from benchmarks.ours import miniature

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "rules", "scripts", "envs", "profiles", "studies")
STUDY = "studies/mini.yaml"
JOB = re.compile(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    output: (.*)$", re.MULTILINE)


@dataclass
class Project:
    """A copy of the project in a folder of its own."""

    folder: Path

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=environment())
        assert not check or done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    def pending(self) -> dict[str, set[str]]:
        """What a run would do: rule → what its outputs are about, such as the names of models."""
        told = self.snakemake("--dry-run")
        jobs: dict[str, set[str]] = {}
        for rule, output in JOB.findall(told.stdout + told.stderr):
            first = output.split(", ")[0].removeprefix("results/mini/")
            subject = (first.split("/") * 2)[1]
            jobs.setdefault(rule, set()).add(subject.split(".")[0] if rule == "negatives" else Path(subject).stem)
        return jobs

    def change(self, section: str, name: str, **values) -> None:
        """Change an entry of the study."""
        path = self.folder / STUDY
        study = yaml.safe_load(path.read_text())
        assert all(study[section][name].get(key, value) != value for key, value in values.items())
        study[section][name] |= values
        path.write_text(yaml.safe_dump(study, sort_keys=False))

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))


def environment() -> dict[str, str]:
    return os.environ | {"HF_HUB_OFFLINE": "1"}


def copy_project(folder: Path) -> Project:
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    (folder / STUDY).write_text(yaml.safe_dump(miniature(steps=6, epochs=1), sort_keys=False))
    project = Project(folder)
    project.edit("config.yaml", "studies/quickstart.yaml", STUDY)
    return project


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A finished run; not to be changed."""
    project = copy_project(tmp_path_factory.mktemp("workflow") / "project")
    project.snakemake()
    return project


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of the finished run, Snakemake's memory and all, made without keeping times: what a clone or cp does."""
    shutil.copytree(finished.folder, tmp_path / "copy", copy_function=shutil.copyfile)
    return Project(tmp_path / "copy")
