"""The pinned environments agree with each other, and so does what others read of them."""

import os
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ENVS = ROOT / "envs"
LOCKS = ["dewpoint", "dewpoint-gpu"]


def pins(name: str) -> dict[str, str]:
    lines = [line for line in (ENVS / name).read_text().splitlines() if line and line[0] not in "#-"]
    pairs = [re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)", line) for line in lines]
    assert all(pairs), [line for line, pair in zip(lines, pairs, strict=True) if not pair]
    assert len({pair[1].lower() for pair in pairs}) == len(pairs)
    return {pair[1]: pair[2] for pair in pairs}


@pytest.mark.parametrize("name", LOCKS)
def test_conda_pins_what_pip_pins(name):
    conda = yaml.safe_load((ENVS / f"{name}.yaml").read_text())
    assert conda["name"] == name
    (pip,) = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    assert dict(pin.split("==") for pin in pip) == pins(f"{name}.txt")


def test_gpu_environments_differ_in_faiss_alone():
    cpu, gpu = pins("dewpoint.txt"), pins("dewpoint-gpu.txt")
    assert cpu.pop("faiss-cpu") == gpu.pop("faiss-gpu")
    assert cpu == gpu


def test_what_is_asked_for_is_in_the_lock():
    assert pins("direct.txt").items() <= pins("dewpoint.txt").items()


def test_the_tests_run_with_what_is_pinned():
    assert (ENVS / "dev.txt").read_text().startswith("-r dewpoint.txt\n")
    assert not pins("dev.txt").keys() & pins("dewpoint.txt").keys()
    assert not pins("rival.txt").keys() & (pins("dev.txt").keys() | pins("dewpoint.txt").keys())


def dockerfile() -> list[str]:
    """Its instructions, each in one line."""
    text = (ENVS / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("name", LOCKS)
def test_an_image_can_be_built_of_each_lock(name):
    """The build argument names a file that is there, and that file is what is copied and installed."""
    (argument,) = re.findall(r"^ARG LOCK=(.*)$", "\n".join(dockerfile()), re.MULTILINE)
    assert argument == LOCKS[0]
    ((copied, to),) = [line.split()[1:] for line in dockerfile() if line.startswith("COPY")]
    assert (ENVS / copied.replace("${LOCK}", name)).is_file()
    (installed,) = [line for line in dockerfile() if "pip install" in line]
    assert installed.endswith(f"-r {to}") and "--no-cache-dir" in installed


@pytest.mark.parametrize("name", LOCKS)
def test_one_python_everywhere(name):
    (conda,) = [
        line for line in yaml.safe_load((ENVS / f"{name}.yaml").read_text())["dependencies"] if "python=" in line
    ]
    version = conda.removeprefix("python=")
    assert dockerfile()[0].startswith(f"FROM python:{version}-slim")
    (setup,) = [step["with"] for step in ci()["steps"] if "setup-python" in step.get("uses", "")]
    assert setup == {"python-version": version}


def test_the_image_is_not_roots_and_its_home_is_writable():
    lines = dockerfile()
    assert lines.index("USER 1000:1000") > max(row for row, line in enumerate(lines) if line.startswith("RUN"))
    (variables,) = [line.split()[1:] for line in lines if line.startswith("ENV")]
    for place in ("HOME", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        assert dict(one.split("=") for one in variables)[place].startswith("/tmp")


def ci() -> dict:
    (job,) = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"].values()
    return job


def test_continuous_integration_runs_what_is_run_here():
    job = ci()
    assert job["timeout-minutes"] == 90 and job["runs-on"].startswith("ubuntu")
    (command,) = [step["run"] for step in job["steps"] if "run" in step]
    assert os.access(ROOT / command, os.X_OK)


def test_the_catalog_is_told_what_the_rules_have():
    """A deployment that is promised is one that every rule has."""
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    text = "\n".join(path.read_text() for path in [ROOT / "Snakefile", *ROOT.glob("rules/*.smk")])
    rules = [rule for rule in re.split(r"^ *rule\b", text, flags=re.MULTILINE)[1:] if "shell:" in rule]
    has = {"conda": all("conda:" in rule for rule in rules), "apptainer": all("container:" in rule for rule in rules)}
    has["apptainer+conda"] = all(has.values())
    assert rules and usage["software-stack-deployment"] == has
    assert usage["report"] == ("report(" in text)
    for flag in re.findall(r"--[a-z-]+", usage["mandatory-flags"]["flags"]):
        profile = yaml.safe_load((ROOT / "profiles" / "default" / "config.yaml").read_text())
        assert usage["mandatory-flags"]["flags"] == f"{flag} {' '.join(profile[flag.removeprefix('--')])}"
