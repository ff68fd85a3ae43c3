"""Artifacts: files first, manifest last.

A manifest is a small JSON file. A folder's is `manifest.json` in it; a single file's stands beside it, so
`runs/bm25/pydocs.test.parquet` has `runs/bm25/pydocs.test.json`. Rules depend on manifests alone.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from dewpoint.errors import UserError
from dewpoint.lease import take

FORMAT = 1
LOCK = ".lock"
MANIFEST = "manifest.json"
LIBRARIES = ("numpy", "pyarrow", "torch", "transformers", "tokenizers", "faiss", "Stemmer", "numba", "scipy")


class Artifact:
    """One artifact being made, by one process. Files go to a staging folder; `seal` moves them into place."""

    def __init__(
        self,
        manifest: Path,
        settings: dict | None = None,
        code: str = "",
        inputs: Iterable[Path] = (),
        helper: int = 0,
    ):
        """`helper` numbers a process that works with the maker and leaves the files to it."""
        self.manifest, self.helper = Path(manifest), helper
        self.folder = self.manifest.parent
        self.settings, self.code = settings or {}, code
        self.inputs = {str(path): content_hash(path) for path in inputs}
        self.facts: dict[str, Any] = {}
        self.started = time.monotonic()
        self.staging = self.folder / f".partial-{self.manifest.name}{f'-{helper}' if helper else ''}"
        self.staging.mkdir(parents=True, exist_ok=True)
        self.lease = take(self.staging / LOCK)
        if self.lease is None:
            raise UserError(f"{self.manifest}: another process is making it; wait for that one, or stop it")
        for left in self.staging.iterdir():  # by a process that was killed
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink()

    def path(self, name: str) -> Path:
        """Where to write the file `name` of this artifact; it appears under that name when sealed."""
        path = self.staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def beside(self, suffix: str) -> Path:
        """Where to write the single file that goes with a sidecar manifest: same stem, another suffix."""
        return self.path(self.manifest.stem + suffix)

    def workspace(self) -> Path:
        """A folder for work in progress, named after all that shapes the result: other settings never resume it."""
        key = _digest(json.dumps([self.settings, self.code, self.inputs], sort_keys=True).encode())
        return self.folder.parent / ".unfinished" / f"{self.folder.name}-{key[:16]}"

    def board(self) -> Path:
        """A folder for what one may watch while it is made; nobody depends on it."""
        return self.folder.parent.parent / "tensorboard" / self.folder.name

    @property
    def key(self) -> str:
        """The same for all that is made with these settings, by this code, from inputs that hold the same."""
        return _key(self.settings, self.code, self.inputs)

    def adopt(self) -> Path | None:
        """Take the files of an artifact that was made by the same code with the same settings from the same inputs.

        Where such are, DEWPOINT_MADE says: a folder with a file a key, which names the manifest. Nothing is copied
        where files can be linked. Returns the manifest of the other, if there is one that is whole.
        """
        note = _note(self.key) if self.code else None
        if note is None or not note.is_file():
            return None
        other = Path(note.read_text())
        try:
            record = read_manifest(other)
            files = {name: member(other, name) for name in record["files"]}
        except UserError:  # gone, or another since
            return None
        if _key(record["settings"], record["code"], record["inputs"]) != self.key:
            return None
        if self.helper:  # the maker takes it
            return other
        for name, file in files.items():
            path = self.path(
                name if self.manifest.name == MANIFEST else name.replace(other.stem, self.manifest.stem, 1)
            )
            try:
                os.link(file, path)
            except OSError:  # on another file system
                shutil.copyfile(file, path)
        self.facts |= record["facts"]
        self.seal(record["run"] | {"adopted": str(other)})
        return other

    def seal(self, run: dict[str, Any] | None = None) -> None:
        """Move the files into place, then write the manifest by atomic rename; `run` is said of an adopted one."""
        if self.helper:
            return
        paths = [path.relative_to(self.staging) for path in self.staging.rglob("*") if path.is_file()]
        names = sorted(str(path) for path in paths if path.name != LOCK)
        files = {name: _describe(self.staging / name) for name in names}
        self.manifest.unlink(missing_ok=True)  # an old one must not vouch for new files
        for name in names:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.staging / name, self.folder / name)
        record = {
            "format": FORMAT,
            "content": _digest("".join(f"{name} {file['sha256']}\n" for name, file in files.items()).encode()),
            "files": files,
            "facts": self.facts,
            "settings": self.settings,
            "code": self.code,
            "inputs": self.inputs,
            "run": run
            or {
                "seconds": round(time.monotonic() - self.started, 2),
                "peak_memory_mb": peak_memory_mb(),
                **_device(),
                "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                "commit": _commit(),
                "python": platform.python_version(),
                "versions": _versions(),
            },
        }
        partial = self.staging / self.manifest.name
        partial.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        os.replace(partial, self.manifest)
        if self.code and (note := _note(self.key)):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(str(self.manifest.absolute()))
        self.discard()

    def discard(self) -> None:
        """Remove what is not sealed, and let others make the artifact."""
        shutil.rmtree(self.staging, ignore_errors=True)
        self.lease.close()


def _key(settings: dict, code: str, inputs: dict[str, str]) -> str:
    return _digest(json.dumps([settings, code, list(inputs.values())], sort_keys=True).encode())


def _note(key: str) -> Path | None:
    """Where it is said which artifact has a key."""
    return Path(os.environ["DEWPOINT_MADE"], key[:2], key) if os.environ.get("DEWPOINT_MADE") else None


def read_manifest(manifest: Path) -> dict[str, Any]:
    """The record in a manifest, or one line on what is wrong with it."""
    try:
        record = json.loads(Path(manifest).read_text())
    except FileNotFoundError:
        raise UserError(f"{manifest}: no such manifest; run the rule that makes it") from None
    except ValueError as error:
        raise UserError(f"{manifest}: not a manifest ({error}); delete it and run again") from None
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise UserError(f"{manifest}: format {found}, expected {FORMAT}; delete it and run again")
    return record


def member(manifest: Path, name: str | None = None) -> Path:
    """The path of an artifact's file `name` (its only file when left out), checked against the manifest's size."""
    files = read_manifest(manifest)["files"]
    name = name or next(iter(files))
    if name not in files:
        others = ", ".join(files)
        raise UserError(
            f"{manifest}: has no file '{name}', only {others}; if another version made it, delete it and run again"
        )
    path = Path(manifest).parent / name
    size = path.stat().st_size if path.exists() else None
    if size != files[name]["bytes"]:
        found = "is missing" if size is None else f"has {size:,} bytes"
        raise UserError(
            f"{path}: {found}, its manifest says {files[name]['bytes']:,} bytes; delete {manifest} and run again"
        )
    return path


def content_hash(path: Path) -> str:
    """The hash of what an input holds: the manifest's own for an artifact, of the bytes for any other file."""
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        begins_like_one = path.suffix == ".json" and b'"format"' in file.read(16)
    if begins_like_one:  # any other file may be larger than memory
        try:
            record = json.loads(path.read_text())
        except ValueError:
            record = None
        if isinstance(record, dict) and "content" in record:
            return record["content"]
    return _file_digest(path)


def peak_memory_mb() -> int:
    """Of this process; what the system counts for getrusage may be that of the process which started it."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024
    except (OSError, IndexError):  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 1024)


def _describe(path: Path) -> dict[str, Any]:
    described: dict[str, Any] = {"bytes": path.stat().st_size, "sha256": _file_digest(path)}
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            parquet = pq.ParquetFile(path)
        except pa.ArrowException as error:  # one that was fetched
            raise UserError(f"{path.name}: not a Parquet file ({str(error).splitlines()[0]})") from None
        described["rows"] = parquet.metadata.num_rows
        described["schema"] = {field.name: str(field.type) for field in parquet.schema_arrow}
    return described


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _device() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        peak = torch.cuda.max_memory_allocated() // 2**20
        return {"device": torch.cuda.get_device_name(), "peak_device_memory_mb": peak}
    return {"device": f"cpu ({platform.machine()}, {os.cpu_count()} cores)"}


def _versions() -> dict[str, str]:
    """Versions of the libraries that this process has loaded."""
    distributions = importlib.metadata.packages_distributions()
    names = {distributions[module][0] for module in LIBRARIES if module in sys.modules and module in distributions}
    return {name: importlib.metadata.version(name) for name in sorted(names)}


@cache
def _commit() -> str | None:
    """The commit that the code is at, where it is in git's care and git can be asked."""
    here = Path(__file__).parent
    try:
        git = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True)
    except OSError:  # git is not installed
        return None
    return git.stdout.strip() if git.returncode == 0 else None
