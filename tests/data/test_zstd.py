"""Zstandard files are read whatever their window: by pyarrow, or from where that refuses on by the program zstd."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.data import zstd
from dewpoint.data.reading import lines
from dewpoint.errors import UserError
from programs import zstd as packed

BLOCK = 100_000  # bytes that one of a frame may have, at most 128 KiB
NORMAL, LONG = 20, 31  # powers of two of a window

with_program = pytest.mark.skipif(shutil.which("zstd") is None, reason="the program zstd is not installed")


def frame(data: bytes, window: int) -> bytes:
    """Of blocks as they are, with no size and no checksum, as RFC 8878 has it."""
    pieces = [data[first : first + BLOCK] for first in range(0, len(data), BLOCK)] or [b""]
    heads = [(len(piece) << 3 | (piece is pieces[-1])).to_bytes(3, "little") for piece in pieces]
    blocks = b"".join(head + piece for head, piece in zip(heads, pieces, strict=True))
    return b"\x28\xb5\x2f\xfd\0" + bytes([window - 10 << 3]) + blocks


@with_program
@given(st.lists(st.tuples(st.binary(max_size=9), st.integers(0, 40_000), st.sampled_from([NORMAL, LONG])), max_size=4))
def test_any_frames(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("frames") / "a.zst"
    frames = [(data * times, window) for data, times, window in frames]
    path.write_bytes(b"".join(frame(data, window) for data, window in frames))
    with zstd.opened(path) as file:
        assert file.read() == b"".join(data for data, _ in frames)
        if LONG in (window for _, window in frames):
            assert file.raw.program


@with_program
def test_lines_before_and_after_a_long_window_come_once(tmp_path):
    path = tmp_path / "a.txt.zst"
    text = b"once upon a time\n"
    path.write_bytes(packed(text) + frame(text * 9, LONG) + packed(text))
    assert [line for _, line in lines(path)] == [text.decode().strip()] * 11


@with_program
def test_the_program_ends_with_its_reader(tmp_path):
    path = tmp_path / "a.zst"
    path.write_bytes(frame(b"line\n" * 10**6, LONG))
    found = lines(path)
    assert next(found) == (f"{path}:1", "line")
    with zstd.opened(path) as file:
        assert file.read(4) == b"line"
        program = file.raw.program
        assert program.poll() is None
    assert program.returncode


@with_program
@pytest.mark.parametrize("window", [NORMAL, LONG])
@pytest.mark.parametrize("cut", [1, 4, 20])
def test_a_file_that_is_cut_is_refused(tmp_path, window, cut):
    path = tmp_path / "a.zst"
    path.write_bytes(packed(b"first\n") + frame(b"second\n" * 9, window)[:-cut])
    with pytest.raises(UserError, match=rf"^{path}: broken .zst after line \d+ \(.+\); fetch it again$"):
        list(lines(path))


@with_program
def test_rubbish_after_a_long_window_is_refused(tmp_path):
    path = tmp_path / "a.zst"
    path.write_bytes(frame(b"line\n", LONG) + b"rubbish")
    with pytest.raises(UserError, match=rf"^{path}: broken .zst after line 1 \("):
        list(lines(path))


def test_without_the_program_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "a.zst"
    path.write_bytes(frame(b"line\n", LONG))
    with pytest.raises(UserError, match=r"window above 128 MiB.*\(No such file or directory\); install it, or pack"):
        list(lines(path))
    path.write_bytes(frame(b"line\n", NORMAL))
    assert [line for _, line in lines(path)] == ["line"]
