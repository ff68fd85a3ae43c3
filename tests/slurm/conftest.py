"""A cluster on localhost, and miniature studies that go through the profile for SLURM."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from slurm import cluster
from workflow.conftest import STUDY, Project, copy_project, environment

SMALL = {"layers": 2, "hidden": 32, "heads": 2, "vocabulary": 1000}
SAMPLE = {
    "title": "Sample",
    "datasets": {"pydocs": {"source": "pydocs", "packages": ["asyncio", "email"]}},
    "models": {
        "bert": {
            "recipe": "mlm",
            "from": "scratch",
            "data": "pydocs",
            "architecture": SMALL,
            "steps": 40,
            "batch_size": 8,
            "length": 64,
        },
        "first": {
            "recipe": "retriever",
            "from": "bert",
            "data": "pydocs",
            "negatives": ["bm25"],
            "negatives_depth": 50,
            "epochs": 1,
            "batch_size": 16,
        },
    },
    "rankers": {"bm25": {"kind": "bm25", "depth": 100}},
    "tables": {"stages": {"rankers": ["bm25", "first"], "on": "pydocs/test", "metrics": ["MRR@10"]}},
}
RULES = ("tokenize", "mlm", "retriever", "encode", "rank_bm25", "rank_dense")  # those that would use several threads
THREADS = ["--set-threads", *(f"{rule}=1" for rule in RULES)]
BERT = "results/mini/models/bert/manifest.json"
HEADER = re.compile(r"^== attempt (\d+), \S+, (\w+)(?:, GPU ([\d,]+))?, SLURM job (\d+)$", re.MULTILINE)
REPORT: list[tuple[str, str, str, bool]] = []  # of each case: name, value, goal, whether it is met


@dataclass
class Run:
    """A run of Snakemake that goes on in the background."""

    process: subprocess.Popen
    log: Path

    def end(self, seconds: float = 400) -> str:
        """What it said, when it has ended."""
        self.process.wait(seconds)
        return self.log.read_text()


@dataclass
class OnCluster(Project):
    """A miniature study whose jobs go to the cluster."""

    def start(self, *arguments: str) -> Run:
        words = [*THREADS, "--workflow-profile", "profiles/slurm", *arguments]
        log = self.folder / f"run{len(list(self.folder.glob('run*.log')))}.log"
        with log.open("wb") as file:
            command = [sys.executable, "-m", "snakemake", *words]
            process = subprocess.Popen(
                command, cwd=self.folder, stdout=file, stderr=file, env=environment(), start_new_session=True
            )
        return Run(process, log)

    def done(self, *arguments: str) -> str:
        """What a run said that must go well."""
        run = self.start(*arguments)
        told = run.end()
        assert run.process.returncode == 0, told[-4000:]
        return told

    def unlock(self) -> None:
        self.snakemake("--unlock")

    def say(self, log: str) -> str:
        path = self.folder / "results/mini/logs" / log
        return path.read_text() if path.exists() else ""

    def attempts(self, log: str) -> list[tuple[str, str, str, str]]:
        """(number, node, GPUs, SLURM job) of each attempt of a job."""
        return HEADER.findall(self.say(log))

    def record(self, manifest: str = BERT) -> dict:
        return json.loads((self.folder / manifest).read_text())

    def forget(self, *manifests: str) -> None:
        for manifest in manifests:
            shutil.rmtree((self.folder / manifest).parent)

    def training(self) -> int | None:
        """The process that trains `bert`."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words, folder = (path / "cmdline").read_bytes().split(b"\0"), (path / "cwd").readlink()
            except OSError:
                continue
            if folder == self.folder and b"recipes.mlm" in words and words[1].endswith(b"work.py"):
                return int(path.name)
        return None

    def held_in_training(self) -> int:
        """The training's process, stopped in its midst: there is a checkpoint, and much is left to do."""
        until((self.folder / "results/mini/models").glob, ".unfinished/bert-*/checkpoint/*")
        pid = self.training()
        os.kill(pid, signal.SIGSTOP)
        assert not (self.folder / BERT).exists()
        return pid


def until(found: Callable, *arguments, seconds: float = 120):
    """The first answer that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = found(*arguments)
        if answer := answer if isinstance(answer, str | int | None) else list(answer):
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{found.__qualname__}{arguments}: not within {seconds:.0f} seconds")


def told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def new(folder: Path) -> OnCluster:
    """The miniature study, with the shipped profile as an administrator would adapt it."""
    project = OnCluster(copy_project(folder).folder)
    (project.folder / STUDY).write_text(yaml.safe_dump(SAMPLE, sort_keys=False))
    project.edit("profiles/slurm/config.yaml", "slurm_partition: gpu", f"slurm_partition: {cluster.PARTITION}")
    project.edit("profiles/slurm/config.yaml", "slurm_account: lab", f"slurm_account: {cluster.ACCOUNT}")
    project.edit("config.yaml", "checkpoint_steps: 1000", "checkpoint_steps: 5")
    project.edit("config.yaml", "shards: 1", "shards: 2")
    project.edit("config.yaml", "reuse: true", "reuse: false")
    project.edit("config.yaml", "threads: 2", "threads: 1")
    return project


def pytest_sessionstart(session):
    if why := cluster.missing():
        pytest.exit(f"nothing was tested: {why}", returncode=1)


def pytest_terminal_summary(terminalreporter):
    width = max((len(name) for name, *_ in REPORT), default=0)
    for name, value, goal, met in REPORT:
        terminalreporter.write_line(f"{name:{width}}  {value}  (goal: {goal})  {'ok' if met else 'short'}")


@pytest.fixture
def case(request):
    """Report how a case went: case(value, goal, met). What must hold is asserted, how fast it was is not."""

    def report(value: object, goal: str, met: bool = True, name: str | None = None) -> None:
        REPORT.append((name or request.node.name.removeprefix("test_").replace("_", " "), str(value), goal, met))

    return report


@pytest.fixture(scope="session")
def up():
    cluster.up()
    yield
    cluster.down()


@pytest.fixture(scope="session")
def local(tmp_path_factory) -> tuple[OnCluster, float]:
    """The study made on this machine, and the seconds that took."""
    project, began = new(tmp_path_factory.mktemp("local") / "project"), time.monotonic()
    project.snakemake(*THREADS)
    return project, time.monotonic() - began


@pytest.fixture(scope="session")
def finished(up, tmp_path_factory) -> tuple[OnCluster, float]:
    """The study made on the cluster, and the seconds that took. Not to be changed."""
    project, began = new(tmp_path_factory.mktemp("slurm") / "project"), time.monotonic()
    project.done()
    return project, time.monotonic() - began


@pytest.fixture(scope="session")
def copy(finished, tmp_path_factory) -> Callable[[], OnCluster]:
    """A copy of the finished study each time."""

    def made() -> OnCluster:
        folder = tmp_path_factory.mktemp("copy") / "project"
        shutil.copytree(finished[0].folder, folder, symlinks=True)
        return OnCluster(folder)

    return made
