"""The programs of scripts/ as a shell calls them, and the files that they read.

A program is called by its file's name, what a kind does by its module and function: "rankers.bm25 index".
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pytest

from dewpoint.artifact import Artifact
from dewpoint.program import run
from work import OPTIONS

SCRIPTS = Path(__file__).parents[1] / "scripts"


def arguments(output: Path, settings: dict, **options: str | Path | list) -> list[str]:
    words = ["--output", str(output), "--settings", json.dumps(settings)]
    for name, value in options.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [] if value is None else [value])]
    return words


def main_of(program: str) -> Callable:
    """The function whose signature is the program's command line."""
    module, _, function = program.partition(" ")
    return getattr(import_module(f"dewpoint.{module}"), function) if function else import_module(module).main


def command(program: str) -> list[str | Path]:
    """What stands before its arguments."""
    return [SCRIPTS / "work.py", *program.split()] if " " in program else [SCRIPTS / f"{program}.py"]


def call(program: str, output: Path, settings: dict, **options: str | Path | list) -> Path:
    """A program in this process; a user's mistake comes as SystemExit with its line."""
    run(main_of(program), arguments(output, settings, **options), OPTIONS if " " in program else ())
    return output


def shell(program: str, output: Path, settings: dict, **options: str | Path | list) -> subprocess.CompletedProcess:
    """A program in a process of its own."""
    words = [sys.executable, *command(program), *arguments(output, settings, **options)]
    return subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": "default"})


def prepare(folder: Path, settings: dict, name: str = "out", files: list[Path] = []) -> Path:  # noqa: B006
    """The manifest of a dataset made by the program that makes them; `files` are manifests of what was fetched."""
    return call("prepare", folder / name / "manifest.json", settings, code="x", study="study.yaml", files=files)


def zstd(data: bytes) -> bytes:
    return pa.compress(data, "zstd", asbytes=True)


def fails_with(folder: Path, settings: dict, message: str) -> None:
    """Preparing it is refused in one line that begins with the folder and `message`, and nothing is left behind."""
    with pytest.raises(SystemExit) as exit:
        prepare(folder, settings)
    assert str(exit.value).startswith(f"error: {folder}/{message}")
    assert len(str(exit.value).splitlines()) == 1
    assert list((folder / "out").iterdir()) == []


def said_of(file: Path, text: str, read: Callable[[], object], kept: Path) -> str:
    """What is wrong with a file of this text, in one line that begins with the file; nothing is left in `kept`."""
    file.write_text(text)
    with pytest.raises(SystemExit) as exit:
        read()
    whole = str(exit.value)
    assert whole.startswith(f"error: {file}") and "\n" not in whole and not list(kept.iterdir())
    return whole.removeprefix(f"error: {file}")


def write_files(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


TABLES = {
    "corpus.csv": "id,text\np1,one\np2,two\n",
    "queries.csv": "id,text\nq1,first?\nq2,second?\n",
    "judgements.csv": "query,passage,grade\nq1,p1,1\nq2,p2,2\n",
}
BEIR = {
    "corpus.jsonl": '{"_id": "p1", "text": "one"}\n{"_id": "p2", "text": "two", "title": "Two"}\n',
    "queries.jsonl": '{"_id": "q1", "text": "first?"}\n{"_id": "q2", "text": "second?"}\n',
    "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\tp1\t1\nq2\tp2\t2\n",
}


def replaced(files: dict[str, str | bytes], others: dict[str, str | bytes]) -> dict[str, str | bytes]:
    """`files` with others in place of those of the same stem; one without content is left out."""
    stems = {name.split(".")[0] for name in others}
    kept = {name: content for name, content in files.items() if name.split(".")[0] not in stems}
    return kept | {name: content for name, content in others.items() if content is not None}


def tables(folder: Path, others: dict[str, str | bytes] | None = None, **columns: dict[str, str]) -> dict:
    """Settings of a `table` dataset in `folder`, its files written: TABLES, or others instead of some of them."""
    files = replaced(TABLES, others or {})
    write_files(folder, files)
    names = {name.split(".")[0]: name for name in others or {}} | {name.split(".")[0]: name for name in files}
    one = {stem: {"file": f"{folder}/{name}", "columns": columns.get(stem, {})} for stem, name in names.items()}
    return {
        "source": "table",
        "corpus": one["corpus"],
        "queries": {"test": one["queries"]},
        "judgements": {"test": one["judgements"] | {"relevant": 1}},
    }


def beir(folder: Path, others: dict[str, str | bytes] | None = None) -> dict:
    write_files(folder, replaced(BEIR, others or {}))
    return {"source": "beir", "path": str(folder)}


def downloads(folder: Path) -> Path:
    """The manifest of all files in a folder, as if they had been fetched."""
    artifact = Artifact(folder.with_name(f"{folder.name}-fetched") / "manifest.json")
    for path in filter(Path.is_file, folder.iterdir()):
        shutil.copy(path, artifact.path(path.name))
    artifact.seal()
    return artifact.manifest
