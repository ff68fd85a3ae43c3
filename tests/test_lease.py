"""Leases: one holder at a time, and none after its death."""

import subprocess
import sys
from pathlib import Path

import pytest

from dewpoint.errors import UserError
from dewpoint.lease import lease

SCRIPTS = Path(__file__).parents[1] / "scripts"
HOLDER = "from dewpoint.lease import lease_device; print(lease_device(2), flush=True); input()"


def holder(folder: Path) -> subprocess.Popen:
    """A process that leases one of two devices and keeps it."""
    environment = {"PYTHONPATH": str(SCRIPTS), "TMPDIR": str(folder)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", HOLDER], env=environment, **pipes)


def test_a_lease_has_one_holder(tmp_path):
    with lease(tmp_path / "x.lock"), pytest.raises(UserError, match="another process"), lease(tmp_path / "x.lock"):
        pass
    with lease(tmp_path / "x.lock"):
        pass


def test_devices_go_round_and_come_back_from_the_dead(tmp_path):
    first, second = holder(tmp_path), holder(tmp_path)
    numbers = [first.stdout.readline().strip(), second.stdout.readline().strip()]
    assert sorted(numbers) == ["0", "1"]
    third = holder(tmp_path)  # waits: both are taken
    with pytest.raises(subprocess.TimeoutExpired):
        third.wait(1.5)
    first.kill()
    assert third.stdout.readline().strip() == numbers[0]
    for process in (first, second, third):
        process.kill()
        process.communicate()
