"""What is said of where results are made is true, the same for all who ask, and told apart where it differs."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy
import pytest
import torch

from dewpoint import environment
from dewpoint.environment import GIT_SAID, code, differences, installed, job, processor, record

# --- packages -----------------------------------------------------------------------------------


def test_packages_are_those_that_python_finds():
    slow = {}
    for package in importlib.metadata.distributions():
        slow.setdefault(re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower(), package.version)
    assert installed(sys.path) == slow and len(slow) > 50


def package(folder: Path, entry: str, text: str = "") -> None:
    (folder / entry).mkdir(parents=True)
    (folder / entry / "METADATA").write_text(text)
    (folder / entry / "PKG-INFO").write_text(text)


def test_the_first_of_a_name_counts_and_older_packages_say_their_version(tmp_path):
    package(tmp_path / "one", "Some_Name-1.0+cpu.dist-info")
    package(tmp_path / "two", "some.name-2.0.dist-info")
    package(tmp_path / "two", "older.egg-info", "Name: older\nVersion: 3.1\n\n")
    found = installed([str(tmp_path / "none"), str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "one")])
    assert found == {"older": "3.1", "some-name": "1.0+cpu"}


def test_what_conda_installed_is_named(tmp_path):
    (tmp_path / "conda-meta").mkdir()
    for name in ("history", "libopenblas-0.3.27-pthreads_h1.json", "mkl-2024.2-0.json"):
        (tmp_path / "conda-meta" / name).touch()
    assert environment._conda(tmp_path) == {"libopenblas": "0.3.27-pthreads_h1", "mkl": "2024.2-0"}


# --- machine ------------------------------------------------------------------------------------


def test_a_processor_says_what_libraries_choose_by(tmp_path):
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Xeon\nflags\t\t: fpu avx2 avx512f amx_tile sse2\n\n" * 500)
    assert processor(told) | {"cores": 0, "machine": ""} == {
        "model": "Xeon",
        "features": ["amx_tile", "avx2", "avx512f"],
        "cores": 0,
        "machine": "",
    }
    told.write_text("processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n")
    assert (processor(told)["model"], processor(told)["features"]) == ("implementer 0x41 part 0xd40", ["asimd", "sve"])
    assert processor(tmp_path / "none")["features"] == []


# --- code ---------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", folder, *who, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def project(tmp_path) -> Path:
    """A project with a commit, in a folder with a space and more in its name."""
    folder = tmp_path / "a project é"
    (folder / "scripts" / "part").mkdir(parents=True)
    (folder / "rules").mkdir()
    for name in ("scripts/a.py", "scripts/part/b.py", "rules/r.smk", "Snakefile", "notes.md"):
        (folder / name).write_text("1\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def test_code_is_a_commit_and_what_was_changed_since(project, tmp_path):
    kept = tmp_path / GIT_SAID
    assert code(project, kept) == {"commit": git(project, "rev-parse", "HEAD"), "changed": []}
    (project / "notes.md").write_text("2\n")
    assert code(project, kept)["changed"] == [], "it is no code"
    (project / "scripts" / "part" / "b.py").write_text("22\n")
    (project / "scripts" / "new one.py").write_text("")
    git(project, "mv", "rules/r.smk", "rules/s.smk")
    (project / "Snakefile").unlink()
    changed = ["Snakefile", "rules/s.smk", "scripts/new one.py", "scripts/part/b.py"]
    assert code(project, kept)["changed"] == code(project, None)["changed"] == changed
    git(project, "add", "-A")
    git(project, "commit", "-qm", "two")
    assert code(project, kept) == {"commit": git(project, "rev-parse", "HEAD"), "changed": []}


@pytest.fixture
def without_git(monkeypatch, tmp_path):
    return lambda: monkeypatch.setenv("PATH", str(tmp_path / "none"))


def test_git_is_asked_again_only_when_something_changed(project, tmp_path, without_git):
    kept = tmp_path / GIT_SAID
    before = code(project, kept)
    without_git()
    assert code(project, kept) == before
    (project / "rules" / "r.smk").write_text("22\n")
    assert code(project, kept) == {"commit": None, "changed": None}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"state": 1}'])
def test_what_git_said_is_asked_again_where_it_cannot_be_read(project, tmp_path, content):
    (tmp_path / GIT_SAID).write_text(content)
    assert code(project, tmp_path / GIT_SAID) == code(project, None)


def test_a_worktree_and_a_project_within_another_have_a_commit(project, tmp_path):
    git(project, "worktree", "add", "-q", str(tmp_path / "tree"))
    assert code(tmp_path / "tree", tmp_path / "1.json") == {"commit": git(project, "rev-parse", "HEAD"), "changed": []}
    (tmp_path / "tree" / "scripts" / "a.py").write_text("22\n")
    git(tmp_path / "tree", "commit", "-qam", "two")
    assert code(tmp_path / "tree", tmp_path / "1.json")["commit"] == git(tmp_path / "tree", "rev-parse", "HEAD")
    within = project / "within"
    shutil.copytree(project / "scripts", within / "scripts")
    git(project, "add", ".")
    git(project, "commit", "-qm", "three")
    first = code(within, tmp_path / "2.json")
    git(project, "commit", "-qm", "four", "--allow-empty")
    second = code(within, tmp_path / "2.json")
    assert first["commit"] != second["commit"] == git(project, "rev-parse", "HEAD")


def test_code_that_is_in_no_ones_care_has_no_commit(project, tmp_path):
    shutil.rmtree(project / ".git")
    assert code(project, tmp_path / GIT_SAID) == {"commit": None, "changed": None}


# --- written once -------------------------------------------------------------------------------


def test_one_environment_is_one_file_named_by_its_hash(tmp_path):
    name = record(tmp_path / "environments")
    (path,) = [path for path in (tmp_path / "environments").iterdir() if path.name != GIT_SAID]
    before = path.stat()
    assert path.name == f"{name}.json" and json.loads(path.read_text()) == environment.environment()
    assert record(tmp_path / "environments") == record(tmp_path / "other") == name
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_many_write_it_at_once(tmp_path):
    names: list[str] = []
    jobs = [threading.Thread(target=lambda: names.append(record(tmp_path))) for _ in range(8)]
    for one in jobs:
        one.start()
    for one in jobs:
        one.join()
    assert len(names) == 8 and len({*names}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {f"{names[0]}.json", GIT_SAID}


def test_another_package_is_another_environment(tmp_path, monkeypatch):
    name = record(tmp_path)
    package(tmp_path / "more", "zebra-1.2.dist-info")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "more")])
    other = record(tmp_path)
    one, two = (json.loads((tmp_path / f"{one}.json").read_text()) for one in (name, other))
    assert name != other and one["packages_hash"] != two["packages_hash"]
    assert differences(one, two) == ["packages zebra: none → 1.2"]


def test_it_is_in_what_is_hashed_that_the_lock_is_of_the_project():
    found = environment.environment()
    assert found["lock"]["file"] == "dewpoint.txt" and len(found["lock"]["sha256"]) == 64
    assert found["snakemake"] == found["packages"]["snakemake"] == importlib.metadata.version("snakemake")
    assert found["system"]["kernel"] == os.uname().release


# --- of a job -----------------------------------------------------------------------------------


def test_a_job_says_how_many_threads_compute_and_by_what(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.setenv("HOME_OMP_NUM_THREADS", "not one of those")
    try:
        torch.set_num_threads(before + 1)
        found = job()
    finally:
        torch.set_num_threads(before)
    assert found["threads"]["torch"] == before + 1
    assert found["variables"]["MKL_NUM_THREADS"] == "3" and "HOME_OMP_NUM_THREADS" not in found["variables"]
    assert found["blas"]["numpy"].split()[0] == numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert found["capability"] == torch.backends.cpu.get_cpu_capability()
    assert (found["gpu"] is None) == (not torch.cuda.is_available())
    assert json.loads(json.dumps(found)) == found
    assert f"threads torch: {before + 1} → {before}" in differences(found, job())


def test_to_say_it_loads_no_library(tmp_path):
    told = "import sys, pathlib, dewpoint.environment as e; e.record(pathlib.Path(sys.argv[1])); print(e.job())"
    told += "; print([name for name in ('torch', 'numpy', 'snakemake') if name in sys.modules])"
    scripts = Path(environment.__file__).parents[1]
    words, variables = [sys.executable, "-c", told, tmp_path], os.environ | {"PYTHONPATH": str(scripts)}
    done = subprocess.run(words, env=variables, capture_output=True, text=True)
    assert done.stdout.splitlines()[1:] == ["[]"], done.stderr


# --- compared -----------------------------------------------------------------------------------


ONE = {
    "python": "3.11.7",
    "packages": {"numpy": "1.0", "scipy": "1.1"},
    "packages_hash": "a",
    "system": {"name": "Debian 12", "kernel": "6.1"},
    "processor": {"model": "Xeon", "features": ["avx2", "avx512f"], "cores": 8},
    "code": {"commit": "c0ffee", "changed": []},
    "threads": {"torch": 4},
    "gpu": None,
}


def changed(*keys: str, value) -> dict:
    """ONE with a value in the place that the keys lead to."""
    found = json.loads(json.dumps(ONE))
    inner = found
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return found


TWO_FEATURES = ["processor features: avx512f only in the first", "processor features: sve only in the second"]


@pytest.mark.parametrize(
    ("other", "lines"),
    [
        (ONE, []),
        (changed("python", value="3.12.0"), ["python: 3.11.7 → 3.12.0"]),
        (changed("packages", "numpy", value="2.0"), ["packages numpy: 1.0 → 2.0"]),
        (changed("packages", value={"numpy": "1.0", "a": "2"}), ["packages a: none → 2", "packages scipy: 1.1 → none"]),
        (changed("packages_hash", value="b"), []),
        (changed("threads", "torch", value=8), ["threads torch: 4 → 8"]),
        (changed("processor", "model", value="EPYC"), ["processor model: Xeon → EPYC"]),
        (changed("processor", "features", value=["avx2", "sve"]), TWO_FEATURES),
        (changed("system", "name", value="Ubuntu 24.04"), ["system name: Debian 12 → Ubuntu 24.04"]),
        (changed("gpu", value={"driver": "550"}), ["gpu driver: none → 550"]),
        (changed("code", "commit", value=None), ["code commit: c0ffee → none"]),
        (changed("code", "changed", value=["a.py"]), ["code changed: a.py only in the second"]),
    ],
)
def test_differences_are_lines(other, lines):
    assert differences(ONE, other) == lines
    assert len(differences(other, ONE)) == len(lines)


def test_nothing_differs_from_all_that_is_said():
    lines = differences(ONE, {})
    said = ["packages numpy: 1.0 → none", "code commit: c0ffee → none", "threads torch: 4 → none"]
    assert {*said} <= {*lines} and not any("packages_hash" in line for line in lines)
