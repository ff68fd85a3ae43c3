"""Archives are read as they come and nothing of them is unpacked, whatever their members are called or claim to be."""

import gzip
import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from dewpoint.data import reading
from dewpoint.data.reading import LARGEST, lines, lines_of, members
from dewpoint.errors import UserError

KINDS = {
    "symlink": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "folder": tarfile.DIRTYPE,
}


def tar(path: Path, *entries: tuple[str, str | tuple[bytes, str]]) -> Path:
    """Members of a name with a text, or of a type with what they lead to."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content.encode()))
            else:
                entry.type, entry.linkname = content
                archive.addfile(entry)
    return path


def read(path: Path, *names: str) -> dict[str, list[str]]:
    return {name: [line for _, line in lines_of(file, path)] for name, file in members(path, names)}


def everything(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["/a.tsv", "../../a.tsv", "x/../../../a.tsv", "./a.tsv", "$(touch x)/a.tsv", "a.tsv"])
def test_nothing_is_unpacked(tmp_path, monkeypatch, name):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.tsv").write_text("before")
    monkeypatch.chdir(tmp_path / "deep" / "er")
    path = tar(tmp_path / "archive.tar.gz", (name, "one\ntwo\n"), ("../../evil.py", "import os"))
    before = everything(tmp_path)
    assert read(path, "a.tsv") == {"a.tsv": ["one", "two"]}
    assert everything(tmp_path) == before
    assert not Path("/a.tsv").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_passed_over(tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    path = tar(tmp_path / "archive.tar.gz", ("a.tsv", (KINDS[kind], str(secret))), ("b.tsv", "words\n"))
    with pytest.raises(UserError, match=f"^{path}: has no 'a.tsv', only a.tsv, b.tsv"):
        read(path, "a.tsv")
    path = tar(path, ("a.tsv", (KINDS[kind], str(secret))), ("a.tsv", "words\n"))
    assert read(path, "a.tsv") == {"a.tsv": ["words"]}


def test_a_member_that_comes_twice_is_read_once(tmp_path):
    path = tar(tmp_path / "archive.tar.gz", ("a.tsv", "first\n"), ("x/a.tsv", "second\n"), ("b.tsv", "other\n"))
    assert read(path, "a.tsv", "b.tsv") == {"a.tsv": ["first"], "b.tsv": ["other"]}


def test_what_unpacks_to_more_than_memory_is_refused(tmp_path):
    """A line without end, in few bytes: no more of it is held than a line may have, a few times over."""
    path = tmp_path / "bomb.tsv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(40):
            file.write(bytes(LARGEST // 4))
    assert path.stat().st_size < LARGEST // 8
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=f"^{path}:1: more than 67,108,864 bytes without the end of a line"):
            list(lines(path))
        assert tracemalloc.get_traced_memory()[1] < 3.5 * LARGEST
    finally:
        tracemalloc.stop()


def test_the_longest_line_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", 9)
    for text, good in (("1234567\n1\n", True), ("12345678", True), ("1\n123456789", False), ("123456789\n", False)):
        (tmp_path / "a.txt").write_text(text)
        if good:
            assert [line for _, line in lines(tmp_path / "a.txt")] == text.splitlines()
        else:
            with pytest.raises(UserError, match="more than 9 bytes"):
                list(lines(tmp_path / "a.txt"))


def test_a_tar_that_is_cut_or_no_tar_is_a_line(tmp_path):
    path = tar(tmp_path / "archive.tar.gz", ("a.tsv", os.urandom(20_000).hex()))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"\x00" * 99, gzip.compress(b"no tar"), b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"^{path}: ") as refused:
            read(path, "a.tsv")
        assert "\n" not in str(refused.value)
