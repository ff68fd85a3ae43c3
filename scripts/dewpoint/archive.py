"""A study as one file: what was made, with its manifests and the data below it, what it was made by, and how to go on.

Members are sorted, have no owner and one time, and lie below one folder; the same study makes the same file. What is
linked on disk is whole in it.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from dewpoint import notes
from dewpoint.artifact import key_of
from dewpoint.environment import PROJECT
from dewpoint.errors import UserError
from dewpoint.inventory import Held, Inventory
from dewpoint.progress import Progress

CODE = ("Makefile", "Snakefile", "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md")
CODE_FOLDERS = ("scripts", "rules", "profiles", "envs", "docs", "studies/published")
TIME = 946_684_800  # of all members: the first second of 2000
COMPRESSED = {".zst": "zstd", ".gz": "gzip", ".tar": None}
README = "ARCHIVE.md"
ABOUT = """# {name}

The results of `{study}`, the data and the code that they were made from.

    tar -xf {file}
    cd {folder}
    make setup                                  # the pinned environment, in .venv
    make verify                                 # whether every file holds what was written
    .venv/bin/snakemake --dry-run --cores 1     # there is nothing to do
    make verify AGAIN=1                         # makes all of it anew, apart, and compares

`results/{name}/report.html` is the report; `report.yaml` beside it says what it takes to make the same again.
`docs/reproducibility.md` says how equal that is on which machine. {left}

Commit {commit}{changed}.
"""


def pack(target: Path, study: str, held: Inventory, others: dict[str, Path], config: dict, without: list[str]) -> int:
    """Writes the archive, and says how many artifacts are in it. `others`: files of the study, by where they go.

    `without`: stages whose artifacts are left out, such as `embeddings`; nothing asks for them until it is made anew.
    """
    kept = {name: one for name, one in held.artifacts.items() if name.split("/")[0] not in without}
    name = held.results.name
    members: dict[str, Path | bytes] = dict(_code()) | others
    for one in kept.values():
        folder = _place(one, held)
        for file in (one.manifest, *one.files):
            members[f"{folder}/{file.relative_to(one.manifest.parent).as_posix()}"] = file
        if one.record["code"]:
            members |= _note(one, folder)
    for environment in sorted({one.record["run"].get("environment") for one in kept.values()} - {None}):
        members[f"results/environments/{environment}.json"] = held.environments / f"{environment}.json"
    settings = {"study": study, "output": "results", "data": "data"}
    members["config.yaml"] = yaml.safe_dump(config | settings, sort_keys=False).encode()
    left = f"Left out are {', '.join(without)}, which are made anew when something asks for them." if without else ""
    facts = _commit(kept, held) | {"left": left, "file": target.name, "folder": name, "study": study, "name": name}
    members[README] = ABOUT.format(**facts).encode()
    _write(target, name, members)
    return len(kept)


def _place(one: Held, held: Inventory) -> str:
    """The folder of an artifact's manifest in the archive."""
    of_data = one.name.startswith("data/")
    root, into = (held.data, "data") if of_data else (held.results, f"results/{held.results.name}")
    inner = one.manifest.parent.relative_to(root).as_posix()
    return into if inner == "." else f"{into}/{inner}"


def _note(one: Held, folder: str) -> dict[str, bytes]:
    """What finds the artifact for whoever is about to make the same."""
    place = os.path.relpath(f"{folder}/{one.manifest.name}", "results")
    name, said = notes.entry(key_of(one.record), place, one.record)
    return {f"results/.notes/{name}": said.encode()}


def _code() -> Iterator[tuple[str, Path]]:
    for name in CODE:
        if (PROJECT / name).is_file():
            yield name, PROJECT / name
    for folder in CODE_FOLDERS:
        for path in (PROJECT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(PROJECT).as_posix(), path


def _commit(kept: dict[str, Held], held: Inventory) -> dict[str, str]:
    runs = [one.record["run"] for one in kept.values()]
    commits = dict.fromkeys(str(run.get("commit") or "unknown") for run in runs)
    changed = dict.fromkeys(file for run in runs for file in run.get("changed") or ())
    return {"commit": ", ".join(commits), "changed": f", with changes in {', '.join(changed)}" if changed else ""}


def _write(target: Path, folder: str, members: dict[str, Path | bytes]) -> None:
    import pyarrow as pa

    if target.suffix not in COMPRESSED:
        raise UserError(f"{target}: expected a name that ends in .tar.zst, .tar.gz or .tar")
    for name in members:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"{target}: '{name}' would lie outside of the archive's folder")
    sizes = {name: path.stat().st_size for name, path in members.items() if isinstance(path, Path)}
    progress = Progress(max(1, sum(size >> 20 for size in sizes.values())), "MB", rate="MB")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    codec = COMPRESSED[target.suffix]
    try:
        with open(partial, "wb") as raw:
            out = pa.CompressedOutputStream(raw, codec) if codec else raw
            with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for name in sorted(members):
                    _add(tar, f"{folder}/{name}", members[name])
                    progress.add(sizes.get(name, 0) >> 20)
            if codec:
                out.close()
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, what: Path | bytes) -> None:
    """A plain file, whatever links lead to it."""
    info = tarfile.TarInfo(name)
    info.mtime, info.mode = TIME, 0o644
    if isinstance(what, bytes):
        info.size = len(what)
        tar.addfile(info, io.BytesIO(what))
        return
    with open(what, "rb") as file:
        stat = os.fstat(file.fileno())
        info.size, info.mode = stat.st_size, 0o755 if stat.st_mode & 0o100 else 0o644
        tar.addfile(info, file)


# --- read ---------------------------------------------------------------------------------------


def manifests_of(archive: Path, folder: Path, scores: bool = False) -> Path:
    """Unpacks what manifests and environments an archive has, and returns the folder that it has its parts in.

    `scores`: the values of single queries, too.
    """
    import pyarrow as pa

    codec = COMPRESSED.get(archive.suffix)
    try:
        with open(archive, "rb") as raw:
            stream: Any = pa.CompressedInputStream(raw, codec) if codec else raw
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    wanted = member.name.endswith(".json") or (scores and _holds_scores(member.name))
                    if member.isfile() and wanted and _holds_records(member.name):
                        tar.extract(member, folder, filter="data")
    except (tarfile.TarError, OSError, EOFError, pa.ArrowException) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise UserError(f"{archive}: not an archive that can be read ({said[0]})") from None
    inside = [path for path in folder.iterdir() if (path / "results").is_dir()]
    if not inside:
        raise UserError(f"{archive}: has no results in it; expected what `make archive` has written")
    return inside[0]


def _holds_records(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) > 2 and parts[1] in ("results", "data") and parts[2] != ".notes"


def _holds_scores(name: str) -> bool:
    return PurePosixPath(name).parts[3:4] == ("scores",) and name.endswith(".parquet")
