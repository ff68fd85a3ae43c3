"""What a machine may do to a study: after each fault it goes on, and what it makes equals an undisturbed run's."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dewpoint.inventory import inventory
from workflow.conftest import Project, environment

AS_ROOT = os.geteuid() == 0
# root reads and writes whatever modes say, unless it gives that up
AS_ANYONE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if AS_ROOT else []
SECOND = "results/mini/models/second"
TARGET = f"{SECOND}/manifest.json"


def contents(project: Project) -> dict[str, str]:
    """Artifact → the hash of what it holds; but for the report, which says how long things took."""
    found = inventory(project.folder / "results/mini", project.folder / "data").artifacts
    return {name: one.record["content"] for name, one in found.items() if name != "report"}


@pytest.fixture
def unfinished(project: Project) -> Project:
    """The second retriever is still to be made."""
    shutil.rmtree(project.folder / SECOND)
    return project


def started(project: Project, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*AS_ANYONE, sys.executable, "-m", "snakemake", "--cores", "2", TARGET, *arguments],
        cwd=project.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def refused(project: Project) -> str:
    """The last line of a run that fails, which has no traceback."""
    running = started(project)
    words = running.communicate()[0]
    assert running.returncode == 1 and "Traceback" not in words, words
    return words.strip().splitlines()[-1]


def completed(project: Project, finished: Project) -> None:
    project.snakemake(TARGET)
    assert contents(project) == contents(finished)


@pytest.fixture
def small(unfinished: Project, tmp_path) -> Path:
    """Results on a file system of their own, which has no room for a model."""
    results, folder = unfinished.folder / "results", tmp_path / "small"
    folder.mkdir()
    if not AS_ROOT or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", folder]).returncode:
        pytest.skip("mounting a small file system needs root")
    shutil.copytree(results, folder, dirs_exist_ok=True)
    shutil.rmtree(results)
    results.symlink_to(folder)
    used = (shutil.disk_usage(folder).used >> 10) + 100
    subprocess.run(["mount", "-o", f"remount,size={used}k", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_named(small: Path, unfinished: Project, finished: Project):
    line = refused(unfinished)
    assert SECOND in line and "No space left on device" in line, line
    subprocess.run(["mount", "-o", "remount,size=100m", small], check=True)
    completed(unfinished, finished)


def test_a_folder_that_may_not_be_written_to_is_named(unfinished: Project, finished: Project):
    models = unfinished.folder / "results/mini/models"
    models.chmod(0o555)
    line = refused(unfinished)
    assert SECOND in line and "Permission denied" in line, line
    models.chmod(0o755)
    completed(unfinished, finished)


def test_a_file_that_may_not_be_read_is_named(unfinished: Project, finished: Project):
    corpus = unfinished.folder / "data/pydocs/corpus.parquet"
    corpus.chmod(0)
    line = refused(unfinished)
    assert "data/pydocs/corpus.parquet" in line and "Permission denied" in line, line
    corpus.chmod(0o644)
    completed(unfinished, finished)


def test_clocks_that_differ_change_nothing(project: Project, finished: Project):
    moments, files = random.Random(1), [path for path in project.folder.rglob("*") if path.is_file()]
    for path in files:
        now = time.time() + moments.uniform(-86400, 86400)  # a file server's clock may be a day ahead
        os.utime(path, (now, now))
    assert project.pending() == {}
    shutil.rmtree(project.folder / SECOND)
    completed(project, finished)


def test_two_at_once(unfinished: Project, finished: Project):
    """The second is refused; where locks are off, both go through and make the same."""
    both = [started(unfinished) for _ in range(2)]
    words = [one.communicate()[0] for one in both]
    assert sorted(one.returncode for one in both) == [0, 1] and "cannot be locked" in "".join(words), words
    assert contents(unfinished) == contents(finished)


def test_two_at_once_without_a_lock(unfinished: Project, finished: Project):
    both = [started(unfinished, "--nolock") for _ in range(2)]
    words = [one.communicate()[0] for one in both]
    assert all(one.returncode == 0 for one in both), words
    assert contents(unfinished) == contents(finished)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_in_mid_training(number, unfinished: Project, finished: Project):
    running, training = started(unfinished), unfinished.folder / SECOND
    while running.poll() is None and not training.exists():
        time.sleep(0.05)
    os.killpg(running.pid, number)
    words = running.communicate()[0]
    assert running.returncode, words
    unfinished.snakemake("--unlock")  # as Snakemake says, where a signal ended it on the spot
    completed(unfinished, finished)
