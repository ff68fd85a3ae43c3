"""Where results are made: packages, system, processor, code, the same for all jobs of a run on one machine; and what
differs by job, its threads and device.

What is the same is written once, in a file named by its hash. It is cheap: names of packages are read off their
folders, and git is asked again only when one of its files or of ours has changed.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dewpoint.notes import digest, write_at_once

PROJECT = Path(__file__).parents[2]
CODE = ("scripts", "rules", "Snakefile")
SUFFIXES = {".py", ".smk", ".j2", ""}
GIT_SAID = ".git.json"  # beside the environments: what git said, and of which files
FEATURES = {"fma", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_bf16"}
FEATURES |= {"amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve", "sve2"}  # asimd is neon's name in Linux
# variables that change how many threads compute, in which order numbers are added, or how exactly
VARIABLES = re.compile(
    r"(OMP|MKL|OPENBLAS|BLIS|NUMEXPR|NUMBA|VECLIB|RAYON|GOTO)_.*|KMP_.*|DNNL_.*|ONEDNN_.*|ATEN_CPU_CAPABILITY"
    r"|CUBLAS_WORKSPACE_CONFIG|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_.*|PYTORCH_.*|PYTHONHASHSEED"
)


# --- the same for all jobs ----------------------------------------------------------------------


def record(folder: Path, found: dict[str, Any] | None = None) -> str:
    """The hash of this environment, as `environment` found it; a file of that name in `folder` says what it is."""
    text = json.dumps(found or environment(folder), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = folder / f"{name}.json"
    if not path.exists():
        write_at_once(path, text)
    return name


def kept(folder: Path, name: str | None) -> dict[str, Any]:
    """What is said of an environment with this hash; nothing where its file is gone."""
    try:
        return json.loads((folder / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}


def environment(folder: Path | None = None) -> dict[str, Any]:
    """What a reader must know to make the same again; `folder` keeps what git said."""
    packages = installed(sys.path)
    return {
        "python": platform.python_version(),
        "snakemake": packages.get("snakemake"),
        "packages": packages,
        "packages_hash": _hash(packages),
        "conda": _conda(Path(sys.prefix)),
        "lock": _lock(packages),
        "system": {"name": _system(), "kernel": platform.release(), "libc": _libc()},
        "processor": processor(),
        "code": code(PROJECT, folder / GIT_SAID if folder else None),
    }


def installed(folders: Iterable[str]) -> dict[str, str]:
    """Name → version of all packages below these folders, as Python would find them: the first of a name counts."""
    found: dict[str, str] = {}
    for folder in map(Path, dict.fromkeys(folders)):
        for name, version in _packages(folder):
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    return dict(sorted(found.items()))


def _packages(folder: Path) -> Iterator[tuple[str, str]]:
    """A package's folder is called name-version.dist-info; older ones are called otherwise, and say it inside."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix in (".dist-info", ".egg-info"))
    except OSError:
        return
    for entry in names:
        name, _, version = entry.rsplit(".", 1)[0].partition("-")
        if entry.endswith(".egg-info") or not version:
            from importlib.metadata import Distribution

            told = Distribution.at(folder / entry).metadata
            name, version = told["Name"] or name, told["Version"] or version
        yield name, version


def _conda(prefix: Path) -> dict[str, str]:
    """Name → version-build of what conda has installed, which need not be Python's; its files are called so."""
    parts = (path.stem.rsplit("-", 2) for path in (prefix / "conda-meta").glob("*-*-*.json"))
    return dict(sorted((name, f"{version}-{build}") for name, version, build in parts))


def _lock(packages: dict[str, str]) -> dict[str, str | None]:
    """The file of the project that pins the packages, and its hash."""
    path = PROJECT / "envs" / f"dewpoint{'-gpu' if 'faiss-gpu' in packages else ''}.txt"
    return {"file": path.name, "sha256": digest(path) if path.is_file() else None}


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):  # another one
        return None


def processor(told_in: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """Its model, its cores, and those of its features by which libraries choose how they compute."""
    found: dict[str, Any] = {"machine": platform.machine(), "model": platform.processor(), "features": []}
    try:
        with open(told_in, "rb", buffering=0) as file:  # of many cores; the system makes up what is read alone
            lines = file.read(16_384).decode(errors="replace").splitlines()
    except OSError:  # no Linux
        lines = []
    told = {}
    for line in lines:
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), value.strip())
    features = (told.get("flags") or told.get("Features", "")).split()
    arm = " ".join(f"{key[4:]} {told[key]}" for key in ("CPU implementer", "CPU part") if key in told)
    model = told.get("model name") or arm or found["model"]
    return found | {"model": model, "features": sorted(FEATURES & {*features}), "cores": os.cpu_count()}


# --- code ---------------------------------------------------------------------------------------


def code(project: Path, asked: Path | None) -> dict[str, Any]:
    """The commit, and which files of the code are other than in it; None where git cannot tell."""
    state = _state(project)
    try:
        said = json.loads(asked.read_text()) if asked else {}
        if said.get("state") == state:
            return said["found"]
    except (OSError, ValueError, KeyError, AttributeError):  # not there, or another process is writing it
        pass
    found = _ask_git(project)
    if asked:
        write_at_once(asked, json.dumps({"state": state, "found": found}))
    return found


def _ask_git(project: Path) -> dict[str, Any]:
    words = ["git", "--no-optional-locks", "-C", str(project), "status", "--porcelain=v2", "--branch", "-z"]
    try:
        git = subprocess.run([*words, "--", *CODE], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):  # not installed, or lost in a slow file system
        return {"commit": None, "changed": None}
    if git.returncode:
        return {"commit": None, "changed": None}
    lines = git.stdout.decode(errors="replace").split("\0")
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
    fields = {"1": 8, "2": 9, "u": 10, "?": 1}  # that stand before the path
    entries = [line.split(" ", fields[line[0]]) for line in lines if line[:2] in ("1 ", "2 ", "u ", "? ")]
    return {"commit": None if commit == "(initial)" else commit, "changed": sorted(entry[-1] for entry in entries)}


def _state(project: Path) -> str:
    """Changes when the code or the commit does: sizes and times of all files that matter."""
    seen = []
    for path in _files(project):
        try:
            stat = path.stat()
            seen.append((str(path), stat.st_size, stat.st_mtime_ns))
        except OSError:
            seen.append((str(path), None, None))
    return _hash([str(project), seen])


def _files(project: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(project / "scripts"):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(folder, name) for name in sorted(names) if Path(name).suffix in SUFFIXES)
    yield from sorted((project / "rules").glob("*"))
    yield project / "Snakefile"
    git = next((folder / ".git" for folder in (project, *project.parents) if (folder / ".git").exists()), project)
    if git.is_file():  # of a worktree: "gitdir: …"
        git = git.parent / git.read_text().partition(":")[2].strip()
    yield from (git / "HEAD", git / "index", git / "logs" / "HEAD")


# --- of a job -----------------------------------------------------------------------------------


def job() -> dict[str, Any]:
    """What differs by job: how many threads compute, by what, on which device; of libraries that are loaded."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    threads: dict[str, int] = {"usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0}
    blas, found = {}, {"variables": {key: os.environ[key] for key in sorted(os.environ) if VARIABLES.fullmatch(key)}}
    if numpy:
        told = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
        blas["numpy"] = f"{told.get('name')} {told.get('version')}"
    if torch:
        threads |= {"torch": torch.get_num_threads(), "torch_interop": torch.get_num_interop_threads()}
        blas["torch"] = ", ".join(_built(torch.__config__.show()))
        found["capability"] = torch.backends.cpu.get_cpu_capability()
    return found | {"threads": threads, "blas": blas, "gpu": _gpu(torch) if torch else None}


def _built(config: str) -> list[str]:
    """What torch multiplies with: BLAS and oneDNN, with their versions."""
    named = re.findall(r"BLAS_INFO=(\w+)", config)[:1]
    return named + re.findall(r"- (Intel.*? (?:Version \S+|v\S+))", config)


def _gpu(torch) -> dict[str, Any] | None:
    if not torch.cuda.is_available():
        return None
    driver = Path("/proc/driver/nvidia/version")
    told = re.search(r"Module.*?(\d+\.[\d.]+)", driver.read_text()) if driver.is_file() else None
    return {
        "names": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        "driver": told[1] if told else None,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
    }


# --- compared -----------------------------------------------------------------------------------

NOT_SAID = "packages_hash"  # by what its parts say


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """A line for each thing in which two environments differ, with or without what `job` says of them."""
    lines = []
    for key in dict.fromkeys([*one, *other]):
        if key != NOT_SAID:
            lines += _differences(key, one.get(key), other.get(key))
    return lines


def _differences(what: str, one: Any, other: Any) -> Iterator[str]:
    if one == other:
        return
    if isinstance(one, dict) or isinstance(other, dict):
        before, after = (value if isinstance(value, dict) else {} for value in (one, other))
        for key in sorted({*before, *after}):
            yield from _differences(f"{what} {key}", before.get(key), after.get(key))
    elif isinstance(one, list) and isinstance(other, list):
        if without := [value for value in one if value not in other]:
            yield f"{what}: {', '.join(map(str, without))} only in the first"
        if more := [value for value in other if value not in one]:
            yield f"{what}: {', '.join(map(str, more))} only in the second"
        if not without and not more:
            yield f"{what}: {one} → {other}"
    else:
        yield f"{what}: {_said(one)} → {_said(other)}"


def _said(value: Any) -> str:
    return "none" if value is None else str(value)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
