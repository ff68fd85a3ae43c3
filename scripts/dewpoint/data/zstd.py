"""What .zst files hold. pyarrow takes windows of up to 128 MiB; those up to 2 GiB are read by the program zstd."""

import io
import subprocess
from pathlib import Path

from dewpoint.errors import UserError

BUFFER = 2**20
REFUSED = "too much memory"  # in what pyarrow says of a long window
WORDS = ("zstd", "--decompress", "--stdout", "--quiet", "--long=31")


def opened(path: Path, mode: str = "rb") -> io.BufferedReader:
    return io.BufferedReader(Unpacked(open(path, mode), path), BUFFER)


class Unpacked(io.RawIOBase):
    """Read by pyarrow up to the first long window, by the program from there on."""

    def __init__(self, file: io.BufferedReader, path: Path):
        import pyarrow as pa

        self.path, self.given = path, 0
        self.file, self.stream = file, pa.CompressedInputStream(file, "zstd")
        self.program: subprocess.Popen | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            data = self.stream.read(len(buffer))
        except OSError as error:
            if self.program or REFUSED not in str(error):
                raise
            self._start()
            data = self.stream.read(len(buffer))
        if not data and self.program and self.program.wait():
            told = self.program.stderr.read().decode(errors="replace").split(":")
            raise EOFError(told[-1].strip() or f"zstd ended with {self.program.returncode}")
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)

    def _start(self) -> None:
        """Have the program read it from the beginning, and pass over what was given."""
        try:
            self.program = subprocess.Popen(
                [*WORDS, "--", self.path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise UserError(
                f"{self.path}: packed with a window above 128 MiB, which only the program zstd reads; that does "
                f"not run ({error.strerror}); install it, or pack the file anew without --long"
            ) from None
        self.stream, left = self.program.stdout, self.given
        while left and (passed := len(self.stream.read(min(left, BUFFER)))):
            left -= passed

    def close(self) -> None:
        if self.closed:
            return
        if self.program:
            self.program.kill()
            self.program.wait()
            self.program.stdout.close()
            self.program.stderr.close()
        self.file.close()
        super().close()
