"""Leases: a file lock that one process holds, released by the system when it dies."""

import fcntl
from contextlib import contextmanager
from pathlib import Path

from dewpoint.errors import UserError


@contextmanager
def lease(path: Path):
    """Hold `path` exclusively, or say who is in the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{path}: another process is training this very model; wait for it or stop it") from None
        yield
