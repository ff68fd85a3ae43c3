"""Bringing a file that others publish: from them, a mirror or a folder; resumed, tried again, checked.

What has come of it lies in a folder that outlives the job, and leaves that only when size and checksum are right.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from io import FileIO
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from dewpoint.data.catalogue import Download
from dewpoint.errors import UserError
from dewpoint.progress import Progress

log = logging.getLogger(__name__)

HEADERS = {
    "User-Agent": "dewpoint",
    "Accept-Encoding": "identity",
    "X-Ms-Version": "2019-12-12",  # Azure sends the rest of a file only to who names a version that knows how
}
TIMEOUT = 60  # seconds without a byte
TRIES = 8  # in a row that bring nothing new
SHORTEST, LONGEST = 1, 300  # seconds between two tries
AGAIN = {408, 425, 429, 500, 502, 503, 504}
CHUNK = 1 << 20
RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")
ELSEWHERE = "`mirrors` and `offline` in config.yaml name other places"


class Broken(OSError):
    """A transfer that ended too early, or does not go with what is here already; another try may help."""


# --- from where ---------------------------------------------------------------------------------


def place_of(url: str, name: str, mirrors: dict[str, str], offline: str) -> str:
    """Where a file is taken from: an address; or a path, where a mirror is a folder or nothing may be fetched."""
    if offline:
        return str(Path(offline, name))
    for beginning in sorted(mirrors, key=len, reverse=True):
        rest = url.removeprefix(beginning.rstrip("/"))
        if rest != url and rest[:1] in ("", "/"):
            return mirrors[beginning].rstrip("/") + rest
    return url


def bring(place: str, file: Download, path: Path, unfinished: Path) -> None:
    """Put the file that is at an address or a path to `path`, checked; `unfinished` keeps what came of it so far."""
    if not file.checksum:
        log.warning("warning: %s: no checksum of it is known, so what comes is taken as it is", place)
    if not place.startswith(("http://", "https://")):
        return take(Path(place), file, path)
    unfinished.mkdir(parents=True, exist_ok=True)
    partial = unfinished / path.name
    _fetch(place, file, partial)
    if fault := wrong(file, partial):
        shutil.rmtree(unfinished)
        raise UserError(f"{place}: {fault}; what came is removed, run again; {ELSEWHERE}")
    with _on_disk(path.parent, partial.stat().st_size):
        shutil.move(partial, path)
    shutil.rmtree(unfinished)


def take(source: Path, file: Download, path: Path) -> None:
    """A file that is on this machine: linked where that can be, copied where not."""
    if not source.is_file():
        raise UserError(f"{source.parent}: no file '{source.name}' there; get it from {file.url}")
    real = source.resolve()
    if not file.checksum and not real.is_relative_to(source.parent.resolve()):
        raise UserError(f"{source}: a link that leads outside, to {real}, and no checksum is known; put the file there")
    with _on_disk(path.parent, source.stat().st_size):
        try:
            os.link(real, path)
        except OSError:
            shutil.copyfile(source, path)
        fault = wrong(file, path)
    if fault:
        raise UserError(f"{source}: {fault}; get it from {file.url}")


def wrong(file: Download, path: Path) -> str:
    """What is wrong with a file's size or checksum; nothing where they are right, or not known."""
    size = path.stat().st_size
    if not size:
        return "nothing in it"
    if file.bytes is not None and size != file.bytes:
        return f"{size:,} bytes, expected {file.bytes:,}"
    if file.checksum:
        kind, expected = file.checksum.split(":")
        with path.open("rb") as content:
            found = hashlib.file_digest(content, kind).hexdigest()
        if found != expected:
            return f"{kind} {found}, expected {expected}"
    return ""


# --- over the network ---------------------------------------------------------------------------


def _fetch(url: str, file: Download, partial: Path) -> None:
    """All of a file into `partial`: tried again as long as that brings something."""
    failures, furthest = 0, _size(partial)
    while True:
        asked = 0.0
        try:
            return _receive(url, file, partial)
        except HTTPError as error:
            error.close()
            reason, asked = f"{error.code} {error.reason}", _asked_to_wait(error.headers)
            if error.code == 416 and _size(partial):
                _forget(partial)
            elif error.code not in AGAIN:
                raise UserError(f"{url}: the server says {reason}; {ELSEWHERE}") from None
        except (OSError, HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        failures = 0 if _size(partial) > furthest else failures + 1
        furthest = max(furthest, _size(partial))
        if failures == TRIES:
            raise UserError(f"{url}: {reason}, {TRIES} times in a row; run again to go on from here; {ELSEWHERE}")
        seconds = min(max(asked, SHORTEST * 2**failures), LONGEST)
        log.info("%s: %s; again in %d s", url, reason, seconds)
        time.sleep(seconds)


def _receive(url: str, file: Download, partial: Path) -> None:
    """One transfer, of what is not here yet where the server knows how."""
    kept, validator = _kept(url, file, partial)
    if kept and kept == file.bytes:
        return
    with _request(url, kept, validator) as response:
        start, total = _range(response.headers) if response.status == 206 else (0, _length(response.headers))
        if start and (start != kept or validator not in (None, _validator(response.headers))):
            _forget(partial)
            raise Broken("the file changed meanwhile")
        total = total or file.bytes
        chunk = response.read1(CHUNK)
        if not url.endswith((".html", ".htm")) and _is_page(response.headers, b"" if start else chunk):
            raise UserError(f"{url}: a web page came in place of the file; open the address to read it; {ELSEWHERE}")
        if file.bytes is not None and total != file.bytes:
            raise UserError(f"{url}: {total:,} bytes, expected {file.bytes:,}; {ELSEWHERE}")
        if not start:
            _forget(partial)
            with _on_disk(partial.parent, total):
                _origin(partial).write_text(json.dumps({"url": url, "validator": _validator(response.headers)}))
        if total and shutil.disk_usage(partial.parent).free < total - start:
            raise UserError(f"{partial.parent}: not enough room{_room(partial.parent, total - start)}")
        progress = Progress(total or 0, f"bytes of {partial.name}", start, "bytes", quiet=not total)
        with partial.open("ab", buffering=0) as out:
            while chunk:
                with _on_disk(partial.parent, total and total - progress.done):
                    _write(out, chunk)
                progress.add(len(chunk))
                chunk = response.read1(CHUNK)
    if total and progress.done < total:
        raise Broken(f"the connection ended after {progress.done:,} of {total:,} bytes")


def _write(out: FileIO, data: bytes) -> None:
    """All of it, now: nothing is left in a buffer that a full disk could lose."""
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) :]


def _request(url: str, kept: int, validator: str | None) -> HTTPResponse:
    """The server's answer, asked for what follows the first `kept` bytes if these are still the same."""
    headers = HEADERS | ({"Range": f"bytes={kept}-"} if kept else {})
    headers |= {"If-Range": validator} if kept and validator else {}
    return urlopen(Request(url, headers=headers), timeout=TIMEOUT)


def _kept(url: str, file: Download, partial: Path) -> tuple[int, str | None]:
    """(bytes that are here, by what the server can tell that they still fit); none where nothing could tell."""
    try:
        origin = json.loads(_origin(partial).read_text())
    except (OSError, ValueError):
        return 0, None
    validator = origin["validator"] if origin["url"] == url else None
    return (_size(partial) if validator or file.checksum else 0), validator


def _forget(partial: Path) -> None:
    for path in (partial, _origin(partial)):
        path.unlink(missing_ok=True)


def _origin(partial: Path) -> Path:
    """The note of where a beginning is from."""
    return partial.with_name(f"{partial.name}.origin")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


# --- what a server's headers say ----------------------------------------------------------------


def _length(headers: Message) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _range(headers: Message) -> tuple[int, int | None]:
    """(first byte, bytes of the whole file) of a part that came; first is -1 if it does not say."""
    said = RANGE.match(headers.get("Content-Range", ""))
    return (int(said[1]), int(said[2])) if said and said[1] else (-1, None)


def _validator(headers: Message) -> str | None:
    """What changes when the file does."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def _is_page(headers: Message, begins: bytes) -> bool:
    first = begins.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower()
    return headers.get_content_type() == "text/html" or first.startswith((b"<!doctype html", b"<html"))


def _asked_to_wait(headers: Message) -> float:
    """The seconds of Retry-After, which may be a date."""
    said = headers.get("Retry-After", "")
    try:
        return float(said) if said.isdigit() else parsedate_to_datetime(said).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0


# --- on disk ------------------------------------------------------------------------------------


@contextmanager
def _on_disk(folder: Path, needed: int | None) -> Iterator[None]:
    """A full disk, or a file that cannot be read or written, is said in a line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror or error}{_room(folder, needed)}") from None


def _room(folder: Path, needed: int | None) -> str:
    needs = f"{needed:,} bytes are needed, " if needed else ""
    return f"; {needs}{shutil.disk_usage(folder).free:,} are free"
