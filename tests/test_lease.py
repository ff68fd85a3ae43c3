"""Leases: one holder at a time, and none after its death."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dewpoint.artifact import Artifact
from dewpoint.lease import count_gpus, named_gpus, take

SCRIPTS = Path(__file__).parents[1] / "scripts"
DEVICE = "from dewpoint.lease import take_device; number, lease = take_device('01'); print(number, flush=True); input()"
MAKER = (
    "import sys; from dewpoint.artifact import Artifact; made = Artifact(sys.argv[1]);"
    "made.path('half').write_text('x'); print('making', flush=True); input()"
)


def holder(program: str, folder: Path, *arguments: str) -> subprocess.Popen:
    """A process that takes a lease, says so, and keeps it."""
    environment = {"PYTHONPATH": str(SCRIPTS), "TMPDIR": str(folder)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program, *arguments], env=environment, **pipes)


def test_a_lease_has_one_holder(tmp_path):
    first = take(tmp_path / "lock")
    assert first and take(tmp_path / "lock") is None
    first.close()
    assert take(tmp_path / "lock")


def test_devices_go_round_and_come_back_from_the_dead(tmp_path):
    first, second = holder(DEVICE, tmp_path), holder(DEVICE, tmp_path)
    numbers = [first.stdout.readline().strip(), second.stdout.readline().strip()]
    assert sorted(numbers) == ["0", "1"]
    third = holder(DEVICE, tmp_path)  # waits: both are taken
    with pytest.raises(subprocess.TimeoutExpired):
        third.wait(1.5)
    first.kill()
    assert third.stdout.readline().strip() == numbers[0]
    for process in (first, second, third):
        process.kill()
        process.communicate()


def test_an_artifact_has_one_maker_and_a_dead_ones_files_go(tmp_path):
    manifest = tmp_path / "made" / "manifest.json"
    other = holder(MAKER, tmp_path, str(manifest))
    assert other.stdout.readline().strip() == "making"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Artifact, manifest)
        with pytest.raises(TimeoutError):
            waiting.result(1)
        assert (tmp_path / "made" / ".partial-manifest.json" / "half").exists()
        other.kill()
        other.communicate()
        artifact = waiting.result(30)
    artifact.path("whole").write_text("y")
    artifact.seal()
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["manifest.json", "whole"]


@pytest.mark.parametrize(("said", "names", "count"), [("0,3", ["0", "3"], 2), ("", [], 0), ("GPU-1a", ["GPU-1a"], 1)])
def test_the_gpus_that_the_environment_names(monkeypatch, said, names, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert (named_gpus(), count_gpus()) == (names, count)
