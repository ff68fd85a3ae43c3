"""Programs by hand: settings in any number of words, the documentation's example, and a disk that is full."""

import errno
import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from dewpoint import program
from dewpoint.artifact import Artifact, read_manifest
from dewpoint.errors import LONGEST, UserError
from dewpoint.program import Settings
from dewpoint.rankers.bm25 import Bm25
from programs import main_of, prepare, tables
from work import OPTIONS

ROOT = Path(__file__).parents[1]
EXAMPLE = re.compile(r"^python scripts/work\.py .*?'$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("file", ["docs/architecture.md", "scripts/work.py"])
def test_the_example_runs(tmp_path, file):
    (found,) = EXAMPLE.findall((ROOT / file).read_text())
    _, _, module, function, *words = shlex.split(found.replace("\\\n", " "))
    settings = words[words.index("--settings") + 1]
    assert json.loads(settings) == Bm25(kind="bm25").index_settings(None)
    dataset, output = prepare(tmp_path, tables(tmp_path)), tmp_path / "x" / "manifest.json"
    places = {"data/pydocs/manifest.json": str(dataset), "/tmp/x/manifest.json": str(output)}
    program.run(main_of(f"{module} {function}"), [places.get(word, word) for word in words], OPTIONS)
    assert read_manifest(output)["facts"]


def test_settings_may_be_in_many_words(tmp_path):
    seen = []

    def main(settings: Settings, output: Path) -> None:
        seen.append(settings.text)

    for text in ("a-b 'c' {d}\n" * 20_000, "-" + "é--" * 30_000, "short"):
        words = program.in_words(json.dumps({"text": text}, ensure_ascii=False))
        words = [words] if isinstance(words, str) else words
        assert all(len(word.encode()) < 2**17 for word in words)
        program.run(main, ["--output", str(tmp_path / "x"), "--settings", *words])
        assert seen.pop() == text


def test_settings_that_are_no_json(tmp_path):
    def main(settings: Settings, output: Path) -> None: ...

    with pytest.raises(SystemExit, match=r"^error: --settings: Expecting property name"):
        program.run(main, ["--output", str(tmp_path / "x"), "--settings", "{…}"])


def of_arrow(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"x": list(range(10**5))}), path)


def of_numpy(path: Path) -> None:
    np.save(path, np.zeros(10**5))


def of_faiss(path: Path) -> None:
    import faiss

    index = faiss.IndexFlatIP(64)
    index.add(np.zeros((1000, 64), np.float32))
    faiss.write_index(index, str(path))


def of_safetensors(path: Path) -> None:
    """It makes a file of its own and renames it, so it is not asked here; this is what it says."""
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def of_text(path: Path) -> None:
    path.write_text("x" * 10**6)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("write", [of_arrow, of_numpy, of_faiss, of_safetensors, of_text])
def test_a_full_disk_is_one_line(tmp_path, write):
    """Whoever writes; nothing half-made stays."""

    def main(artifact: Artifact) -> None:
        path = artifact.path("x.npy")
        path.symlink_to("/dev/full")
        write(path)

    with pytest.raises(SystemExit) as exit:
        program.run(main, ["--output", str(tmp_path / "out" / "manifest.json")])
    assert re.fullmatch(rf"error: {tmp_path}/out/.*: No space left on device", str(exit.value))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_what_the_file_system_refuses_is_one_line(tmp_path, code):
    def main(output: Path) -> None:
        raise OSError(code, os.strerror(code), "/where/file")

    with pytest.raises(SystemExit) as exit:
        program.run(main, ["--output", str(tmp_path / "x")])
    assert str(exit.value) == f"error: /where/file: {os.strerror(code)}"


def test_other_errors_are_not_hidden(tmp_path):
    def main(output: Path) -> None:
        raise OSError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        program.run(main, ["--output", str(tmp_path / "x")])


def test_a_users_mistake_is_a_line_that_a_terminal_can_show():
    said = str(UserError(f"a.csv:1: '\x1b[31m\u202e\ud800' {'x' * 10**6} the end\nof it"))
    assert said.isprintable() and said.encode()
    assert said.startswith("a.csv:1: ' [31m") and said.endswith("the end of it")
    assert len(said) <= LONGEST + 3
