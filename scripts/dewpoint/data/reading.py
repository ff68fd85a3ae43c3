"""Reading other people's files: every row comes with its place, every fault is one line that names it."""

import codecs
import csv
import gzip
import io
import json
import logging
import math
import re
import tarfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from dewpoint.data import zstd
from dewpoint.errors import UserError

T = TypeVar("T")
log = logging.getLogger(__name__)

LARGEST = 1 << 26  # characters that an object of a JSON array may have, and bytes that a line may
FIELD = 1 << 17  # characters that a field may have where stray quotes are taken; a quote never closed ends there
TOO_LARGE = 2**128 - 2**103  # what float32 rounds to infinity: half a step above its largest, which may be written so
LOG_SECONDS = 10
BETWEEN = re.compile(r"\s*([\[,]?)\s*(\]?)")  # what stands between the objects of a JSON array
SPLIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
NUMBER = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*")
TEXT_FORMATS = (".txt", ".jsonl", ".json")
BUFFER = 2**20
BROKEN = (EOFError, OSError, zlib.error, tarfile.TarError)  # what reading a file that is cut or damaged raises
OPENERS = {".gz": gzip.open, ".zst": zstd.opened}  # what a text file may be compressed with


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
    for path in sorted(folder.glob("qrels/[!.]*")):  # macOS leaves ._test.tsv beside test.tsv
        if plain(path).suffix == ".tsv":
            if not SPLIT.fullmatch(split := plain(path).stem):
                raise UserError(f"{path}: split '{split}', expected a name of letters, digits, - and _; rename it")
            found.setdefault(split, path)
    return found


def text_files(patterns: list[str], formats: tuple[str, ...] = TEXT_FORMATS) -> list[Path]:
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
        if suffix not in formats:
            known = " or ".join(suffix for suffix in formats if suffix not in ("", ".json"))
            raise UserError(f"{path}: unknown format '{suffix}'; use {known}, plain, {' or '.join(OPENERS)}")
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


@contextmanager
def zipped(path: Path, name: str) -> Iterator[BinaryIO]:
    """A .zip's member, by the last part of its name, to be read; nothing is unpacked on disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            known = {Path(one).name: one for one in archive.namelist() if not one.endswith("/")}
            if name not in known:
                raise UserError(f"{path}: has no '{name}', only {', '.join(known) or 'nothing'}")
            with archive.open(known[name]) as file:
                yield io.BufferedReader(file, BUFFER)
    except (*BROKEN, zipfile.BadZipFile, NotImplementedError) as error:
        raise _broken(path, f"'{name}'", error) from None


def lines_of(file: BinaryIO, path: Path, before: int = 0) -> Iterator[tuple[str, str]]:
    """(place, line) of a file that is open; `path` is what it is called, `before` how many lines were read of it."""
    number = before
    try:
        for number, line in enumerate(iter(partial(file.readline, LARGEST), b""), before + 1):
            if len(line) == LARGEST:  # a few bytes may unpack to more than memory holds
                raise UserError(f"{path}:{number}: more than {LARGEST:,} bytes without the end of a line; is it text?")
            yield f"{path}:{number}", line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}:{number}: not UTF-8 at byte {error.start + 1} of the line; re-encode it") from None
    except BROKEN as error:
        raise _broken(path, f"line {number}", error) from None


def blocks_of_lines(path: Path, size: int) -> Iterator[tuple[int, bytes]]:
    """A text file in pieces of about `size` bytes that end with a line, each with how many lines come before it."""
    number = 0
    try:
        with _opened(path) as file:
            while block := file.read(size):
                block += b"" if block.endswith(b"\n") else file.readline(LARGEST)
                yield number, block
                number += block.count(b"\n")
    except BROKEN as error:
        raise _broken(path, f"line {number}", error) from None


def _opened(path: Path) -> BinaryIO:
    try:
        return (OPENERS | {".tgz": gzip.open}).get(path.suffix, open)(path, "rb")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def _broken(path: Path, last: str, error: Exception) -> UserError:
    if getattr(error, "errno", None):  # the system's; a decoder's has none
        return UserError(f"{path}: {error.strerror}")
    return UserError(f"{path}: broken {path.suffix} after {last} ({error}); fetch it again")


def trec_judgements(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str, float]]:
    """(place, query, passage, grade) of TREC's qrels: query, 0, passage, grade with tabs or spaces."""
    for place, line in rows:
        fields = line.split()
        if fields and len(fields) != 4:
            raise UserError(f"{place}: {len(fields)} fields, expected query 0 passage grade")
        if fields:
            yield place, fields[0], fields[2], grade(fields[3], place)


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of a JSON-lines file; empty lines are passed over."""
    return json_rows(lines(path))


def json_rows(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of JSON lines that come as (place, line)."""
    for place, line in rows:
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{place}: not JSON ({error})") from None
        if not isinstance(value, dict):
            raise UserError(f"{place}: expected a JSON object, found {type(value).__name__}")
        yield place, value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key said twice nobody knows which is meant."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError(f"key '{twofold(key for key, _ in pairs)}' twice")
    return made


def twofold(names: Iterable[str]) -> str | None:
    """The first name that comes more than once."""
    return next((name for name, times in Counter(names).items() if times > 1), None)


def json_array(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of a file that is one JSON array of objects."""
    with _opened(path) as file:
        yield from json_array_of(file, path)


def json_array_of(file: BinaryIO, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of such a file that is open, and may be larger than memory; `path` is what it is called.

    An object that is not whole in what was read is tried again with as much again, so it is tried a few times at most.
    """
    number, text, at, ended = 0, "", 0, False
    decode, parse = (
        codecs.getincrementaldecoder("utf-8-sig")().decode,
        json.JSONDecoder(object_pairs_hook=_object).raw_decode,
    )
    try:
        while not (mark := BETWEEN.match(text, at))[2]:
            try:
                value, end = parse(text, mark.end())
            except (ValueError, RecursionError) as error:
                if ended or len(text) - at > LARGEST:
                    problem = getattr(error, "msg", error)
                    raise UserError(f"{path}: entry {number + 1} is not JSON ({problem})") from None
                data = file.read(max(BUFFER, len(text) - at))
                text, at, ended = text[at:] + decode(data, not data), 0, not data
                continue
            if mark[1] != ("," if number else "[") or not isinstance(value, dict):
                raise UserError(f"{path}: entry {number + 1}: expected a JSON array of objects")
            number, at = number + 1, end
            yield f"{path}: entry {number}", value
        if mark[1] != ("" if number else "[") or (text[mark.end() :] + decode(file.read(), True)).strip():
            raise UserError(f"{path}: after entry {number}: expected the end of a JSON array")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 after entry {number} ({error.reason}); re-encode it") from None
    except BROKEN as error:
        raise _broken(path, f"entry {number}", error) from None


def whole_json(file: BinaryIO, path: Path, kept: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    """The one JSON value of a file that is open, each object in it made what is `kept` of its pairs."""
    try:
        return json.loads(file.read(), object_pairs_hook=kept)
    except BROKEN as error:
        raise _broken(path, "what was read", error) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error})") from None


def records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a table: .csv (quoted), .tsv (verbatim), .jsonl or .parquet; text formats may be compressed."""
    suffix = plain(path).suffix
    if suffix == ".parquet":
        yield from parquet(path)
    elif suffix in (".jsonl", ".json"):
        yield from json_lines(path)
    elif suffix in (".csv", ".tsv"):
        yield from _delimited(path, suffix)
    else:
        raise UserError(f"{path}: unknown table format '{suffix}'; use .csv, .tsv, .jsonl or .parquet")


def _delimited(path: Path, suffix: str) -> Iterator[tuple[str, dict[str, str]]]:
    rows = quoted(path) if suffix == ".csv" else ((place, line.split("\t")) for place, line in lines(path) if line)
    _, header = next(rows, (None, None))
    if header is None:
        raise UserError(f"{path}: empty; its first row must name the columns")
    if (twice := twofold(header)) is not None:
        raise UserError(f"{path}: its first row names the column '{twice}' twice")
    for place, row in rows:
        if len(row) != len(header):
            raise UserError(f"{place}: {len(row)} fields, the header has {len(header)}")
        yield place, dict(zip(header, row, strict=True))


def quoted(path: Path, delimiter: str = ",", strict: bool = True) -> Iterator[tuple[str, list[str]]]:
    """(place where it begins, fields) of every row of a .csv; one row may go over several lines."""
    yield from quoted_of(lines(path), delimiter, strict)


def quoted_of(
    rows: Iterable[tuple[str, str]], delimiter: str = ",", strict: bool = True
) -> Iterator[tuple[str, list[str]]]:
    """The same of (place, line) of a file that is open.

    Without `strict`, stray quotes are taken as csv.reader does by itself.
    """
    place = None

    def text() -> Iterator[str]:
        nonlocal place
        for here, line in rows:
            place = place or here
            yield line + "\n"

    csv.field_size_limit(2**31 - 1 if strict else FIELD)
    reader = csv.reader(text(), delimiter=delimiter, strict=strict)
    try:
        for row in reader:
            if row:
                yield place, row
            place = None
    except csv.Error as error:
        hint = "; a quote in it is never closed" if re.search("end of data|field limit", str(error)) else ""
        raise UserError(f"{place}: not CSV ({error}){hint}") from None


def parquet(path: Path, columns: list[str] | None = None, size: int = 65_536) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a Parquet file, all columns or some, `size` rows held at once."""
    import pyarrow as pa

    from dewpoint.data.parquet import row_batches

    number = 0
    try:
        for batch in row_batches(path, columns, size):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}: row {number}", row
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # neither texts nor dates need be any
        raise not_parquet(path, error) from None


def not_parquet(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: not a readable Parquet file ({(str(error).splitlines() or [''])[0]})")


def counted(rows: Iterable[T], what: str, size: Callable[[T], int] = lambda row: 1) -> Iterator[T]:
    """The rows themselves, or batches of some size; how many have come is logged now and then."""
    logged, number = time.monotonic(), 0
    for row in rows:
        if time.monotonic() - logged > LOG_SECONDS:
            logged = time.monotonic()
            log.info("%s %s", f"{number:,}", what)
        yield row
        number += size(row)


def objects(row: dict[str, Any], column: str, place: str) -> list[dict[str, Any]]:
    """A column's list of JSON objects; one that is not there is empty."""
    values = row.get(column) or []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise UserError(f"{place}: '{column}' is no list of objects")
    return values


def texts(row: dict[str, Any], column: str, place: str) -> list[str]:
    """A column's list of texts; one that is not there is empty."""
    values = row.get(column)
    if not isinstance(values, list | None):
        raise UserError(f"{place}: column '{column}' holds a {type(values).__name__}, expected a list")
    if values and None in values:
        raise UserError(f"{place}: column '{column}' has nothing in place of a text")
    return [text({column: value}, column, place) for value in values or ()]


def text(row: dict[str, Any], column: str, place: str, default: str | None = None) -> str:
    """A column's value as text; one that must be there and is not is a mistake. A whole number is its digits."""
    if column not in row and default is None:
        raise UserError(f"{place}: no column '{column}'; there is {', '.join(map(str, row)) or 'none'}")
    value = row.get(column)
    if value is None:
        return default or ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise UserError(f"{place}: column '{column}' holds a {type(value).__name__}, expected text")
    try:
        value = str(value)
    except ValueError:  # thousands of digits
        raise UserError(f"{place}: column '{column}' holds a number that is none of this world") from None
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{place}: column '{column}' holds half a character at {error.start + 1}; mend it") from None
    return value


def float32(written: str, what: str, place: str) -> float:
    """A field of a line as a number that float32 holds."""
    value = float(written) if NUMBER.fullmatch(written) else math.nan
    if not abs(value) < TOO_LARGE:
        raise UserError(f"{place}: {what} '{written}' is not a number that float32 holds")
    return value


def grade(value: Any, place: str) -> float:
    """A grade as a number that float32 holds; files write 1, "1", 1.0 and 3.75."""
    try:
        written = isinstance(value, bool) or (isinstance(value, str) and not NUMBER.fullmatch(value))
        number = math.nan if written else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) < TOO_LARGE:
        raise UserError(f"{place}: grade {value!r} is not a finite number")
    return number
