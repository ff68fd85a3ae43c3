"""What is remembered of artifacts beside them, in the folder that DEWPOINT_NOTES names; all of it may be deleted.

`made/`: the record of what was made from which settings, code and contents. `checked/`: the hash of each file, by what
the system says of it, so that a file is only read again for its hash when it is another one or was written to.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def hash_of(path: Path) -> str:
    """The SHA-256 of what a file holds."""
    with open(path, "rb") as file:
        note = _checked(path)
        if note and (known := _read(note)) and len(known) == 64:
            return known
        found = hashlib.file_digest(file, "sha256").hexdigest()
    _write(note, found)
    return found


def remember_hash(path: Path, found: str) -> None:
    """Of a file that was hashed before it came to its place."""
    _write(_checked(path), found)


def made(key: str) -> dict[str, Any] | None:
    """What was made under a key: its `manifest`, and the `record` in it; nothing where it was not made here."""
    note = _made(key)
    try:
        said = json.loads(_read(note) or "null") if note else None
    except ValueError:  # cut
        return None
    return said and {"manifest": note.parents[2].parent / said["manifest"], "record": said["record"]}


def remember_made(key: str, manifest: Path, record: dict[str, Any]) -> None:
    """Paths are relative to the folder that holds the notes, so that a copy of it finds its own."""
    if note := _made(key):
        place = os.path.relpath(manifest.absolute(), note.parents[2].parent)
        _write(note, json.dumps({"manifest": place, "record": record}, ensure_ascii=False))


def folder() -> Path | None:
    return Path(os.environ["DEWPOINT_NOTES"]) if os.environ.get("DEWPOINT_NOTES") else None


def _made(key: str) -> Path | None:
    return folder() and folder() / "made" / key[:2] / key


def _checked(path: Path) -> Path | None:
    """No program can set the time of a file's last change of any kind, so no write goes unnoticed."""
    said = path.stat()
    identity = repr((said.st_ino, said.st_size, said.st_mtime_ns, said.st_ctime_ns)).encode()
    name = hashlib.sha256(identity).hexdigest()[:32]
    return folder() and folder() / "checked" / name[:2] / name


def _read(note: Path) -> str | None:
    try:
        return note.read_text()
    except OSError:
        return None


def _write(note: Path | None, text: str) -> None:
    """Whole or not at all; a folder that is full or read-only is none to remember in."""
    if note is None:
        return
    partial = note.with_name(f".{note.name}-{os.getpid()}")
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text)
        os.replace(partial, note)
    except OSError:
        return
