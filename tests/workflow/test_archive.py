"""A study in one file: whoever unpacks it has nothing to make, and finds all of it whole."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from workflow.conftest import STUDY, Project, copy_project, environment


def program(name: str, folder: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(folder / "scripts" / f"{name}.py"), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment())


def archived(project: Project, target: Path, *words: str) -> Path:
    done = program("archive", project.folder, "--to", str(target), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def unpacked(archive: Path, folder: Path) -> Project:
    with pa.CompressedInputStream(archive.open("rb"), "zstd") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        tar.extractall(folder, filter="data")
    return Project(folder / "mini")


@pytest.fixture(scope="module")
def archive(finished, tmp_path_factory) -> Path:
    return archived(finished, tmp_path_factory.mktemp("archive") / "mini.tar.zst")


def test_what_is_unpacked_is_finished_whole_and_equal(finished, archive, tmp_path):
    there = unpacked(archive, tmp_path)
    assert not (there.folder / ".snakemake").exists() and (there.folder / "ARCHIVE.md").is_file()
    assert there.pending() == {}
    told = program("verify", there.folder, "--against", str(finished.folder))
    assert told.returncode == 0, told.stdout + told.stderr
    assert "damaged: 0, goal 0, ok" in told.stdout and "equal to the earlier: 44, goal 44, ok" in told.stdout
    there.change("models", "second", learning_rate=5e-4)
    assert there.pending()["retriever"] == {"second"}


def test_it_holds_plain_files_below_one_folder(archive):
    with pa.CompressedInputStream(archive.open("rb"), "zstd") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        members = list(tar)
    assert all(member.isreg() and member.name.startswith("mini/") and not member.uname for member in members)
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert len({member.mtime for member in members}) == 1
    names = {member.name for member in members}
    assert {f"mini/{STUDY}", "mini/Snakefile", "mini/config.yaml", "mini/results/mini/report.yaml"} <= names
    assert not [name for name in names if "__pycache__" in name or "/logs/" in name]


def test_without_its_embeddings_it_is_still_finished(finished, tmp_path):
    """Nothing below is made anew, so nothing asks for them; the check says that they are not there."""
    there = unpacked(archived(finished, tmp_path / "mini.tar.zst", "--without", "embeddings"), tmp_path)
    assert not (there.folder / "results/mini/embeddings").exists()
    assert there.pending() == {}
    told = program("verify", there.folder)
    assert told.returncode == 0 and "embeddings/first/pydocs/corpus-0of1" in told.stdout


def test_what_is_damaged_is_not_archived(project: Project, tmp_path):
    path = project.folder / "results/mini/models/first/model.safetensors"
    path.write_bytes(bytes(path.stat().st_size))
    told = program("archive", project.folder, "--to", str(tmp_path / "mini.tar"))
    assert told.returncode == 1 and told.stderr.startswith(
        "error: results/mini/models/first/model.safetensors: damaged"
    )
    assert not (tmp_path / "mini.tar").exists()


def test_report_yaml_has_the_study_and_what_it_was_made_with(finished):
    """Every value of it, those that it left out as well."""
    said = yaml.safe_load((finished.folder / "results/mini/report.yaml").read_text())
    assert said["study"]["models"]["first"]["weight_decay"] == 0.01 and said["config"]["seed"] == 1
    assert said["datasets"]["pydocs"]["settings"]["packages"] == ["asyncio", "email"]
    assert len(said["datasets"]["pydocs"]["content"]) == 64 and len(said["environments"]) == 1
    about = next(iter(said["environments"].values()))
    assert about["lock"]["sha256"] and "features" in about["processor"] and "commit" in about["code"]


def test_made_again_it_is_the_same(tmp_path):
    """Elsewhere, with nothing taken over, under the config that it was made with."""
    project = copy_project(tmp_path / "project")
    words = {
        "datasets": {"docs": {"source": "pydocs", "packages": ["json", "email"]}},
        "rankers": {"bm25": {"kind": "bm25", "depth": 20}},
        "tables": {"t": {"rankers": ["bm25"], "on": "docs/test", "metrics": ["MRR@10"]}},
    }
    (project.folder / STUDY).write_text(yaml.safe_dump(words))
    project.snakemake("--config", "seed=7")
    told = program("verify", project.folder, "--again")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "equal to the first run: 5, goal 5, ok" in told.stdout
    again = project.folder / "results/.again/results/mini"
    assert "seed: 7" in (again / "report.yaml").read_text()
