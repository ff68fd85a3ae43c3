"""Leases: a file lock that one process holds, released by the system when it dies."""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)
WAIT = 0.5  # seconds between two looks
held: list[IO] = []  # until the process ends


def take(path: Path) -> IO | None:
    """Hold `path` until the file is closed or the process ends; nothing when another process holds it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def hold(path: Path, waiting: str) -> IO:
    """A lease on `path`, in a folder made for it; while another process has it, `waiting` is said, once."""
    said = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the folder went with the process that had the lease
            if file := take(path):
                if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                    return file
                file.close()
                continue
            if not said:
                log.info("%s", waiting)
            said = True
            time.sleep(WAIT)


def named_gpus() -> list[str] | None:
    """The GPUs that the environment names; None where it says nothing of them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if named is None else [name for name in named.split(",") if name]


def count_gpus() -> int:
    """How many GPUs of this machine jobs may take."""
    named = named_gpus()
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")) if named is None else named)


def take_device(names: Sequence[str]) -> tuple[int, IO]:
    """Which of these GPUs no other program of this user has, held until this process ends; waits for one."""
    waiting = False
    while True:
        for number, name in enumerate(names):
            if file := take(Path(tempfile.gettempdir()) / f"dewpoint-{os.getuid()}-gpu{name}.lock"):
                held.append(file)
                return number, file
        if not waiting:
            log.info("waiting for one of %d GPUs", len(names))
        waiting = True
        time.sleep(WAIT)


def take_devices(count: int) -> list[str]:
    """So many of this machine's GPUs, for this process and what it becomes."""
    names, taken = list(map(str, range(count_gpus()))), []
    for _ in range(count):
        number, file = take_device(names)
        os.set_inheritable(file.fileno(), True)
        taken.append(names[number])
    return sorted(taken)
