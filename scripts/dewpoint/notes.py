"""What is remembered of artifacts beside them, in the folder that DEWPOINT_NOTES names; all of it may be deleted.

`made/`: the record of what was made from which settings, code and contents. `checked/`: the hash of each file, by what
the system says of it, so that a file is only read again for its hash when it is another one or was written to.
"""

import hashlib
import json
import os
import platform
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


def digest(path: Path) -> str:
    """The SHA-256 of what a file holds, read now."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(path: Path) -> str:
    """The same, read once for each state of the file."""
    state = _state(path)
    note = _checked(state)
    if note and (known := _read(note)) and len(known) == 64:
        return known
    found = _digest(path, state)
    _write(note, found)
    return found


@cache
def _digest(path: Path, state: str) -> str:
    return digest(path)


def remember_hash(path: Path, found: str) -> None:
    """Of a file that was hashed before it came to its place."""
    _write(_checked(_state(path)), found)


def made(key: str) -> dict[str, Any] | None:
    """What was made under a key: its `manifest`, and the `record` in it; nothing where it was not made here."""
    notes = folder()
    try:
        said = json.loads(_read(notes / _made(key)) or "null") if notes else None
    except ValueError:  # cut
        return None
    return said and {"manifest": notes.parent / said["manifest"], "record": said["record"]}


def remember_made(key: str, manifest: Path, record: dict[str, Any]) -> None:
    """Paths are relative to the folder that holds the notes, so that a copy of it finds its own."""
    if notes := folder():
        name, text = entry(key, os.path.relpath(manifest.absolute(), notes.parent), record)
        _write(notes / name, text)


def entry(key: str, place: str, record: dict[str, Any]) -> tuple[str, str]:
    """The note of what was made: what it is called in the folder of notes, and what it says."""
    return _made(key), json.dumps({"manifest": place, "record": record}, ensure_ascii=False)


def _made(key: str) -> str:
    return f"made/{key[:2]}/{key}"


def folder() -> Path | None:
    return Path(os.environ["DEWPOINT_NOTES"]) if os.environ.get("DEWPOINT_NOTES") else None


def write_at_once(path: Path, text: str) -> None:
    """So that no reader sees a part, whoever else writes the same at the same moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.{threading.get_ident()}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _state(path: Path) -> str:
    """No program can set the time of a file's last change of any kind, so no write goes unnoticed."""
    said = path.stat()
    identity = repr((said.st_ino, said.st_size, said.st_mtime_ns, said.st_ctime_ns)).encode()
    return hashlib.sha256(identity).hexdigest()[:32]


def _checked(state: str) -> Path | None:
    return folder() and folder() / "checked" / state[:2] / state


def _read(note: Path) -> str | None:
    try:
        return note.read_text()
    except OSError:
        return None


def _write(note: Path | None, text: str) -> None:
    """A folder that is full or read-only is none to remember in."""
    if note:
        with suppress(OSError):
            write_at_once(note, text)
