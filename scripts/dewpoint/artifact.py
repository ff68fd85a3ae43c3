"""Artifacts: files first, manifest last.

A manifest is a small JSON file. A folder's is `manifest.json` in it; a single file's stands beside it, so
`runs/bm25/pydocs.test.parquet` has `runs/bm25/pydocs.test.json`. Rules depend on manifests alone.
"""

import glob
import hashlib
import json
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dewpoint import environment, notes
from dewpoint.errors import UserError
from dewpoint.lease import hold, take

FORMAT = 1
BEGINS = b'{\n "format": 1,'  # a manifest
LOCK = ".lock"
MANIFEST = "manifest.json"
ATTEMPTS = ".attempts.json"  # beside a folder for work in progress: how many began, the seconds of those that ended
LIBRARIES = {  # module → the package that brings it, the first that is installed
    **{name: (name,) for name in ("numpy", "pyarrow", "torch", "transformers", "tokenizers", "numba", "scipy")},
    "faiss": ("faiss-gpu", "faiss-cpu"),
    "Stemmer": ("pystemmer",),
}


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
        """Waits for another process that makes the same, then has its inputs checked, each file of them.

        `helper` numbers a process that works with the maker, and leaves to it what is decided and written.
        """
        self.manifest, self.helper = Path(manifest), helper
        self.folder = self.manifest.parent
        self.settings, self.code = settings or {}, code
        self.inputs = {str(path): checked(path) for path in inputs}
        self.facts: dict[str, Any] = {}
        self.finished: Path | None = None  # a folder that is not needed any more when the artifact is sealed
        self.started, self.sealed = time.monotonic(), False
        staging = f".partial-{self.manifest.name}"
        self.staging = self.folder / (f"{staging}-{helper}-{os.getpid()}" if helper else staging)
        self.word = self.folder / staging / f".make-{_start()}"  # of the maker to the helpers of this very start
        self.lease = hold(self.staging / LOCK, f"{self.manifest}: another process is making it; waiting for that one")
        for left in self.staging.iterdir():  # by a process that was killed
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink()
        for left in () if helper else self.folder.glob(f"{glob.escape(staging)}-*"):
            if free := take(left / LOCK):
                shutil.rmtree(left)
                free.close()
        if not helper and self.workspace().is_dir():
            begun, seconds = self._attempts()
            self._note_attempts(begun + 1, seconds)

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

    @property
    def _attempts_note(self) -> Path:
        workspace = self.workspace()
        return workspace.with_name(workspace.name + ATTEMPTS)

    def _attempts(self) -> tuple[int, list[float]]:
        """How many began, and how long each took that did not end by being killed, as far as they left work behind."""
        try:
            return tuple(json.loads(self._attempts_note.read_text()))
        except (OSError, ValueError):
            return 1, []

    def _note_attempts(self, begun: int, seconds: list[float]) -> None:
        with suppress(OSError):  # a disk that is full ends the work anyway
            notes.write_at_once(self._attempts_note, json.dumps([begun, seconds]))

    def _earlier(self) -> dict[str, float]:
        """The seconds of the attempts before this one, where there were some and all are known."""
        begun, seconds = self._attempts()
        return {"earlier_seconds": round(sum(seconds), 2)} if seconds and len(seconds) == begun - 1 else {}

    def _elapsed(self) -> float:
        return round(time.monotonic() - self.started, 2)

    def board(self) -> Path:
        """A folder for what one may watch while it is made; nobody depends on it."""
        return self.folder.parent.parent / "tensorboard" / self.folder.name

    @property
    def key(self) -> str:
        """The same for all that is made with these settings, by this code, from inputs that hold the same."""
        return _key(self.settings, self.code, self.inputs)

    def is_made(self) -> Path | None:
        """The manifest of what is this very artifact: made here while we waited, or made before, here or elsewhere.

        What was made elsewhere is taken over; nothing is copied where files can be linked.
        """
        if not self.code:  # by hand, by code that nobody knows
            return None
        if self.helper:
            return self._told()
        with suppress(UserError):  # gone, damaged, or another
            if key_of(read_manifest(self.manifest)) == self.key:
                checked(self.manifest)
                return self.manifest
        other = self._adopted()
        self._tell(other)
        return other

    def _adopted(self) -> Path | None:
        note = notes.made(self.key) if os.environ.get("DEWPOINT_REUSE", "yes") == "yes" else None
        if not note or key_of(note["record"]) != self.key:
            return None
        other, record = note["manifest"], note["record"]
        try:
            files = {name: _checked_file(other.parent, name, record) for name in record["files"]}
        except UserError:  # gone, or another since
            return None
        if other.resolve() == self.manifest.resolve():  # its manifest was lost, its files are here
            write_manifest(self.manifest, record)
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

    def _tell(self, other: Path | None) -> None:
        """Helpers do as we do."""
        if "RANK" in os.environ and other is None:
            self.word.touch()

    def _told(self) -> Path | None:
        """What the maker found; it may wait for another process itself."""
        while not self.word.exists():
            with suppress(UserError):
                if key_of(read_manifest(self.manifest)) == self.key:
                    return self.manifest
            time.sleep(0.2)
        return None

    def seal(self, run: dict[str, Any] | None = None) -> None:
        """Move the files into place, then write the manifest by atomic rename; `run` is said of an adopted one.

        What an earlier version left in the folder is removed: nobody may take it for a part of this one.
        """
        if self.helper:
            return
        paths = [path.relative_to(self.staging) for path in self.staging.rglob("*") if path.is_file()]
        names = sorted(str(path) for path in paths if not path.name.startswith("."))
        files = {name: _describe(self.staging / name) for name in names}
        self.manifest.unlink(missing_ok=True)  # an old one must not vouch for new files
        if self.manifest.name == MANIFEST:
            _remove_others(self.folder, set(names))
        for name in names:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.staging / name, self.folder / name)
            notes.remember_hash(self.folder / name, files[name]["sha256"])
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
                "seconds": self._elapsed(),
                **self._earlier(),
                "peak_memory_mb": peak_memory_mb(),
                **_device(),
                "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                **_where(),
            },
        }
        write_manifest(self.manifest, record)
        self.sealed = True
        if self.code:
            notes.remember_made(self.key, self.manifest, record)
        if self.finished and self.finished.exists() and checked(self.manifest):
            shutil.rmtree(self.finished)
        self._attempts_note.unlink(missing_ok=True)
        self.discard()

    def discard(self) -> None:
        """Remove what is not sealed, and let others make the artifact; what can be gone on with stays."""
        if self.lease.closed:
            return
        if not self.helper and not self.sealed and self.workspace().is_dir():
            begun, seconds = self._attempts()
            self._note_attempts(begun, [*seconds, self._elapsed()])
        shutil.rmtree(self.staging, ignore_errors=True)
        self.lease.close()


def _start() -> str:
    """What names this start of several processes."""
    return "-".join(os.environ.get(name, "") for name in ("TORCHELASTIC_RUN_ID", "MASTER_PORT")).replace("/", "-")


def _key(settings: dict, code: str, inputs: dict[str, str]) -> str:
    return _digest(json.dumps([settings, code, list(inputs.values())], sort_keys=True).encode())


def key_of(record: dict[str, Any]) -> str:
    return _key(record["settings"], record["code"], record["inputs"])


def _remove_others(folder: Path, names: set[str]) -> None:
    """All files but these; a folder in which another artifact lies, or is made, is not ours, such as that of tokens."""
    for path in folder.iterdir():
        deep = path.is_dir() and not path.is_symlink()
        if path.name.startswith(".") or (deep and any(path.rglob(f"*{MANIFEST}"))):
            continue
        for part in [part for part in path.rglob("*") if not part.is_dir()] if deep else [path]:
            if str(part.relative_to(folder)) not in names:
                part.unlink()
        if deep and not any(name.startswith(f"{path.name}/") for name in names):
            shutil.rmtree(path)


def write_manifest(manifest: Path, record: dict[str, Any]) -> None:
    """By rename, with the sum of all that it says, so that a word of it that was damaged is noticed."""
    said = {name: value for name, value in record.items() if name != "sum"}
    notes.write_at_once(manifest, json.dumps(said | {"sum": _sum(said)}, indent=1, ensure_ascii=False) + "\n")


def _sum(record: dict[str, Any]) -> str:
    return _digest(json.dumps(record, ensure_ascii=False).encode())


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
    if record.pop("sum", None) != _sum(record):
        raise UserError(f"{manifest}: damaged, it does not add up to its sum; delete it and run again")
    return record


def member(manifest: Path, name: str | None = None) -> Path:
    """The path of an artifact's file `name` (its only file when left out), checked against the manifest."""
    record = read_manifest(manifest)
    name = name or next(iter(record["files"]))
    if name not in record["files"]:
        others = ", ".join(record["files"])
        raise UserError(
            f"{manifest}: has no file '{name}', only {others}; if another version made it, delete it and run again"
        )
    return _checked_file(Path(manifest).parent, name, record, manifest)


def checked(path: Path) -> str:
    """The hash of what an input holds, after a look at whether it still does: for an artifact, at each of its files."""
    record = record_of(path)
    for name in record["files"] if record else ():
        _checked_file(path.parent, name, record, path)
    return _content(path, record)


def content_hash(path: Path) -> str:
    """The hash of what an input holds: the manifest's own for an artifact, of the bytes for any other file."""
    return _content(path, record_of(path))


def _content(path: Path, record: dict[str, Any] | None) -> str:
    if record:
        return record["content"]
    return notes.hash_of(path) if path.is_file() else ""


def record_of(path: Path) -> dict[str, Any] | None:
    """The record of an input that is a manifest, by its name or its beginning; any other may be larger than memory."""
    if path.suffix != ".json" or not path.is_file():
        return None
    with open(path, "rb") as file:
        begins = file.read(len(BEGINS))
    is_one = path.name == MANIFEST or begins == BEGINS or begins.startswith(b"\0")  # zeros, as after a power failure
    return read_manifest(path) if is_one else None


def _checked_file(folder: Path, name: str, record: dict[str, Any], manifest: Path | None = None) -> Path:
    """A file of an artifact that holds what its manifest says; its hash is made once for each state of the file."""
    path, said = folder / name, record["files"][name]
    size = path.stat().st_size if path.is_file() else None
    again = f"; delete {manifest or folder} and run again"
    if size != said["bytes"]:
        found = "is missing" if size is None else f"has {size:,} bytes"
        raise UserError(f"{path}: {found}, its manifest says {said['bytes']:,} bytes{again}")
    if notes.hash_of(path) != said["sha256"]:
        raise UserError(f"{path}: damaged, it does not hold what was written (SHA-256){again}")
    return path


def peak_memory_mb() -> int:
    """Of this process; what the system counts for getrusage may be that of the process which started it."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024
    except (OSError, IndexError):  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 1024)


def _describe(path: Path) -> dict[str, Any]:
    described: dict[str, Any] = {"bytes": path.stat().st_size, "sha256": notes.digest(path)}
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            parquet = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:  # one that was fetched
            raise UserError(f"{path.name}: not a Parquet file ({str(error).splitlines()[0]})") from None
        described["rows"] = parquet.metadata.num_rows
        described["schema"] = {field.name: str(field.type) for field in parquet.schema_arrow}
    return described


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _device() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        peak = torch.cuda.max_memory_allocated() // 2**20
        return {"device": torch.cuda.get_device_name(), "peak_device_memory_mb": peak}
    return {"device": f"cpu ({platform.machine()}, {os.cpu_count()} cores)"}


def _versions(packages: dict[str, str]) -> dict[str, str]:
    """Versions of the libraries that this process has loaded."""
    loaded = [names for module, names in LIBRARIES.items() if module in sys.modules]
    found = [next((name for name in names if name in packages), None) for names in loaded]
    return {name: packages[name] for name in sorted(filter(None, found))}


def _where() -> dict[str, Any]:
    """In short; the whole environment is in a file beside all results, named by its hash."""
    folder = notes.folder() and notes.folder().parent / "environments"
    found = environment.environment(folder)
    return {
        "commit": found["code"]["commit"],
        "changed": found["code"]["changed"],
        "python": found["python"],
        "versions": _versions(found["packages"]),
        "environment": environment.record(folder, found) if folder else None,
        **environment.job(),
    }
