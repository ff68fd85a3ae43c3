"""Reading other people's files: every row comes with its place, every fault is one line that names it."""

import csv
import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path
from typing import Any, BinaryIO

from dewpoint.errors import UserError

TEXT_FORMATS = (".txt", ".jsonl", ".json")


def _open_zstd(path: Path, mode: str) -> io.BufferedReader:
    import pyarrow as pa

    return io.BufferedReader(pa.CompressedInputStream(open(path, mode), "zstd"))


BUFFER = 2**20
BROKEN = (EOFError, OSError, zlib.error, tarfile.TarError)  # what reading a file that is cut or damaged raises
OPENERS = {".gz": gzip.open, ".zst": _open_zstd}  # what a text file may be compressed with


def plain(path: Path) -> Path:
    """The name of a file without its compression."""
    return path.with_suffix("") if path.suffix in OPENERS else path


def find(path: Path) -> Path:
    """`path` itself or its compressed twin."""
    candidates = [path, *(path.with_name(path.name + suffix) for suffix in OPENERS)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise UserError(f"{path}: no such file (nor {', '.join(candidate.name for candidate in candidates[1:])})")


def qrels(folder: Path) -> dict[str, Path]:
    """The qrels of a BEIR folder, by split; of a plain file and its compressed twins the plain one."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("qrels/*")):
        if plain(path).suffix == ".tsv":
            found.setdefault(plain(path).stem, path)
    return found


def text_files(patterns: list[str]) -> list[Path]:
    """The files that paths and glob patterns name, in their order, those of a pattern sorted, each once."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        named = [pattern] if Path(pattern).is_file() else sorted(glob(pattern, recursive=True))  # noqa: PTH207
        found = [path for path in map(Path, named) if path.is_file()]
        if not found:
            raise UserError(f"{pattern}: no such file")
        paths |= dict.fromkeys(found)
    for path in paths:
        suffix = plain(path).suffix
        if suffix not in TEXT_FORMATS:
            raise UserError(f"{path}: unknown format '{suffix}'; use .txt or .jsonl, plain, {' or '.join(OPENERS)}")
    return list(paths)


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """(place, line) of a UTF-8 text file, plain or compressed, without line ends."""
    with _opened(path) as file:
        yield from lines_of(file, path)


def members(path: Path, names: Iterable[str]) -> Iterator[tuple[str, BinaryIO]]:
    """(name, file) of a compressed tar's members in the order they lie there, to be read at once; nothing is unpacked.

    A name is a member's last part; members of other names are passed over.
    """
    wanted, found = set(names), []
    try:
        with _opened(path) as packed, tarfile.open(fileobj=packed, mode="r|", bufsize=BUFFER) as archive:
            for entry in archive:
                found.append(Path(entry.name).name)
                if entry.isfile() and found[-1] in wanted:
                    wanted.discard(found[-1])
                    yield found[-1], io.BufferedReader(archive.extractfile(entry), BUFFER)
                if not wanted:
                    return
    except BROKEN as error:
        raise _broken(path, f"member {len(found)}", error) from None
    raise UserError(f"{path}: has no '{min(wanted)}', only {', '.join(found) or 'nothing'}; fetch it again")


def lines_of(file: BinaryIO, path: Path) -> Iterator[tuple[str, str]]:
    """(place, line) of a file that is open; `path` is what it is called."""
    number = 0
    try:
        for number, line in enumerate(file, 1):
            yield f"{path}:{number}", line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}:{number}: not UTF-8 at byte {error.start + 1} of the line; re-encode it") from None
    except BROKEN as error:
        raise _broken(path, f"line {number}", error) from None


def _opened(path: Path) -> BinaryIO:
    try:
        return OPENERS.get(path.suffix, open)(path, "rb")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _broken(path: Path, last: str, error: Exception) -> UserError:
    if getattr(error, "errno", None):  # the system's; a decoder's has none
        return UserError(f"{path}: {error.strerror}")
    return UserError(f"{path}: broken {path.suffix} after {last} ({error}); fetch it again")


def trec_judgements(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str, int]]:
    """(place, query, passage, grade) of TREC's qrels: query, 0, passage, grade with tabs or spaces."""
    for place, line in rows:
        fields = line.split()
        if fields and len(fields) != 4:
            raise UserError(f"{place}: {len(fields)} fields, expected query 0 passage grade")
        if fields:
            yield place, fields[0], fields[2], grade(fields[3], place)


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of a JSON-lines file; empty lines are passed over."""
    for place, line in lines(path):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{place}: not JSON ({error})") from None
        if not isinstance(value, dict):
            raise UserError(f"{place}: expected a JSON object, found {type(value).__name__}")
        yield place, value


def records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a table: .csv (quoted), .tsv (verbatim), .jsonl or .parquet; text formats may be compressed."""
    suffix = plain(path).suffix
    if suffix == ".parquet":
        yield from _parquet(path)
    elif suffix in (".jsonl", ".json"):
        yield from json_lines(path)
    elif suffix in (".csv", ".tsv"):
        yield from _delimited(path, suffix)
    else:
        raise UserError(f"{path}: unknown table format '{suffix}'; use .csv, .tsv, .jsonl or .parquet")


def _delimited(path: Path, suffix: str) -> Iterator[tuple[str, dict[str, str]]]:
    rows = _quoted(path) if suffix == ".csv" else ((place, line.split("\t")) for place, line in lines(path) if line)
    _, header = next(rows, (None, None))
    if header is None:
        raise UserError(f"{path}: empty; its first row must name the columns")
    for place, row in rows:
        if len(row) != len(header):
            raise UserError(f"{place}: {len(row)} fields, the header has {len(header)}")
        yield place, dict(zip(header, row, strict=True))


def _quoted(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(place where it begins, fields) of every row of a .csv; one row may go over several lines."""
    place = None

    def text() -> Iterator[str]:
        nonlocal place
        for here, line in lines(path):
            place = place or here
            yield line + "\n"

    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(text(), strict=True)
    try:
        for row in reader:
            if row:
                yield place, row
            place = None
    except csv.Error as error:
        hint = "; a quote in it is never closed" if "end of data" in str(error) else ""
        raise UserError(f"{place}: not CSV ({error}){hint}") from None


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"{path}: row {number}", row
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None


def text(row: dict[str, Any], column: str, place: str, default: str | None = None) -> str:
    """A column's value as text; one that must be there and is not is a mistake."""
    if column not in row and default is None:
        raise UserError(f"{place}: no column '{column}'; there is {', '.join(map(str, row)) or 'none'}")
    value = row.get(column)
    if value is None:
        return default or ""
    if isinstance(value, dict | list):
        raise UserError(f"{place}: column '{column}' holds a {type(value).__name__}, expected text")
    value = str(value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{place}: column '{column}' holds half a character at {error.start + 1}; mend it") from None
    return value


def grade(value: Any, place: str) -> int:
    """A grade as a whole number; files write 1, "1" and 1.0."""
    try:
        number = float(value)
        if number == int(number) and abs(number) < 2**31:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise UserError(f"{place}: grade {value!r} is not a whole number")
