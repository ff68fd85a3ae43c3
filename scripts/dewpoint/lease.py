"""Leases: a file lock that one process holds, released by the system when it dies."""

import fcntl
import logging
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dewpoint.errors import UserError

log = logging.getLogger(__name__)
held: list[IO] = []  # until the process ends


@contextmanager
def lease(path: Path):
    """Hold `path` exclusively, or say who is in the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        if not _lock(file):
            raise UserError(f"{path}: another process is training this very model; wait for it or stop it") from None
        yield


def lease_device(devices: int) -> int:
    """The number of a GPU that no other program of this user holds, for the life of this one; waits for one."""
    waiting = False
    while True:
        for number in range(devices):
            file = (Path(tempfile.gettempdir()) / f"dewpoint-{os.getuid()}-gpu{number}.lock").open("a")
            if _lock(file):
                held.append(file)
                return number
            file.close()
        if not waiting:
            log.info("waiting for one of %d GPUs", devices)
        waiting = True
        time.sleep(1)


def _lock(file: IO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
