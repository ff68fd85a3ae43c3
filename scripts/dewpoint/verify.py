"""Whether artifacts still are what was written: every file is read, and what was remembered of it is not trusted."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dewpoint import notes
from dewpoint.artifact import MANIFEST
from dewpoint.inventory import Held, Inventory, visible
from dewpoint.progress import Progress

BLOCK = 1 << 22


@dataclass
class Examined:
    """What came of it: a line for each thing that is wrong."""

    damaged: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)  # made from what is another by now
    absent: list[str] = field(default_factory=list)  # it was made from them, and may be without them
    files: int = 0
    bytes: int = 0


def examine(held: Inventory) -> Examined:
    """All of it, file by file."""
    found = Examined(damaged=[*held.wrong])
    total = sum(said["bytes"] for one in held.artifacts.values() for said in one.files.values())
    progress = Progress(max(1, total >> 20), "MB", rate="MB")
    hashes: dict[Path, str] = {}
    spoken_for = {path for one in held.artifacts.values() for path in (one.manifest, *one.files)}
    for one in held.artifacts.values():
        for path, said in one.files.items():
            found.files, found.bytes = found.files + 1, found.bytes + said["bytes"]
            if wrong := _wrong(path, said["sha256"], said["bytes"], progress, found):
                found.damaged.append(wrong)
        for name, (where, content) in one.inputs.items():
            if other := held.artifacts.get(name):
                if other.record["content"] != content:
                    found.outdated.append(f"{one.manifest}: {name} is another than the one it was made from")
            elif held.place(name) is None and where.is_file():
                if where not in hashes:
                    hashes[where] = hashed(where)
                if hashes[where] != content:
                    found.outdated.append(f"{one.manifest}: {where} is another than the one it was made from")
            elif held.place(name) is None:
                found.absent.append(name)
        if wrong := _environment(held, one):
            found.damaged.append(wrong)
    for one in {one.manifest.parent: one for one in held.artifacts.values()}.values():  # a folder, once
        found.damaged += _unlisted(held, one, spoken_for)
    found.damaged, found.absent = list(dict.fromkeys(found.damaged)), list(dict.fromkeys(found.absent))
    return found


def hashed(path: Path, progress: Progress | None = None) -> str:
    """The SHA-256 of a file as it lies there."""
    digest, left = hashlib.sha256(), 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(BLOCK):
            digest.update(block)
            left += len(block)
            if progress and left >> 20:
                progress.add(left >> 20)
                left &= (1 << 20) - 1
    return digest.hexdigest()


def _wrong(path: Path, said: str, size: int, progress: Progress, found: Examined) -> str | None:
    try:
        here = path.stat().st_size
        told = hashed(path, progress)
    except FileNotFoundError:
        return f"{path}: is missing"
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
    if told == said:
        return None
    notes.remember_hash(path, told)  # or a program would go on believing what was remembered
    if here != size:
        return f"{path}: has {here:,} bytes, its manifest says {size:,}"
    return f"{path}: damaged, it does not hold what was written (SHA-256)"


def _unlisted(held: Inventory, one: Held, spoken_for: set[Path]) -> Iterator[str]:
    """Files that no manifest speaks for, where a reader would take them for a part of an artifact."""
    folder = one.manifest.parent
    if one.manifest.name == MANIFEST:
        inner = [path.parent for path in folder.rglob(f"*/{MANIFEST}")]  # of others, such as a dataset's tokens
        files = [path for path in visible(folder) if not any(path.is_relative_to(other) for other in inner)]
    elif folder == held.results or not folder.is_relative_to(held.results):
        return
    else:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    yield from (f"{path}: no manifest speaks for it; delete it" for path in files if path not in spoken_for)


def _environment(held: Inventory, one: Held) -> str | None:
    """The file that says where it was made is there, and holds what its name says."""
    name = one.record["run"].get("environment")
    path = held.environments / f"{name}.json"
    if name and not path.is_file():
        return f"{path}: is missing"
    if name and not hashed(path).startswith(name):
        return f"{path}: damaged, it does not hold what was written (SHA-256)"
    return None
