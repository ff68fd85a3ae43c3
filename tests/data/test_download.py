"""Downloads over a server that misbehaves: the bytes come whole, or nothing but a line and what can be gone on from."""

import errno
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate, takewhile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dewpoint.data import download
from dewpoint.data.catalogue import Download
from programs import SCRIPTS, arguments, call

CONTENT = bytes((7 * i + i // 251) % 256 for i in range(50_000))
OTHER = CONTENT[::-1]
PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
NAME = "file.tsv.gz"


class Server(ThreadingHTTPServer):
    """Serves one content as servers should, after the faults that it is given, one a request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.faults, self.tells, self.ranges = CONTENT, [], "etag", True
        self.asked: list[tuple[str, str | None]] = []  # (path, Range) of every request
        self.sent = 0  # bytes of bodies
        self.over = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/official/{NAME}"

    @property
    def from_where(self) -> list[int]:
        """The first byte that each request asked for."""
        return [int(asked[6:-1]) if asked else 0 for _, asked in self.asked]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers["Range"]))
        fault, _, much = (server.faults.pop(0) if server.faults else "").partition(" ")
        if fault == "status":
            code, *wait = much.split()
            self.send_response(int(code))
            if wait:
                self.send_header("Retry-After", " ".join(wait))
            return self.end(PAGE)
        if fault == "redirect":
            self.send_response(302)
            self.send_header("Location", much)
            return self.end(b"")
        if fault == "page":
            self.send_response(200)
            self.send_header("Content-Type", much)
            return self.end(PAGE if "gzip" in much else b"Please sign in.")
        whole = server.content
        etag, date = f'"{hashlib.md5(whole).hexdigest()}"', formatdate(sum(whole[:9]), usegmt=True)
        validators = {
            "etag": {"ETag": etag},
            "date": {"Last-Modified": date},
            "weak": {"ETag": f"W/{etag}", "Last-Modified": date},
            "nothing": {},
        }[server.tells]
        start = server.from_where[-1]
        same = self.headers["If-Range"]
        if not server.ranges or (same and same not in validators.values()):
            start = 0
        if start and start >= len(whole):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(whole)}")
            return self.end(b"")
        self.send_response(206 if start else 200)
        for name, value in validators.items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        if fault == "silent":  # neither a length nor chunks: the end of the connection is the end of the file
            self.end_headers()
        body = whole[start:][: int(much) if fault in ("cut", "stall", "silent") else None]
        server.sent += len(body)
        if fault == "silent":
            self.wfile.write(body)
        else:
            self.end(body, len(whole) - start)
        if fault == "stall":
            server.over.wait(20)

    def end(self, body: bytes, length: int | None = None) -> None:
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "SHORTEST", 0)
    monkeypatch.setattr(download, "TRIES", 3)
    monkeypatch.setattr(download, "TIMEOUT", 5)
    server = Server()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


def known(url: str, **others) -> dict:
    return {"url": url, "bytes": len(CONTENT), "checksum": MD5} | others


def unknown(url: str) -> dict:
    return {"url": url, "bytes": None, "checksum": None}


def manifest(folder: Path) -> Path:
    return folder / "downloads" / f"{NAME}.json"


def get(folder: Path, settings: dict, mirrors: dict | None = None, offline: str = "") -> Path:
    """The program's file, whose manifest must say the same of it."""
    made = call("download", manifest(folder), settings, mirrors=json.dumps(mirrors or {}), offline=offline)
    record, path = json.loads(made.read_text()), made.parent / NAME
    assert list(record["files"]) == [NAME]
    assert record["files"][NAME]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {path.name for path in made.parent.iterdir()} == {NAME, made.name}
    return path


def refused(folder: Path, settings: dict, *messages: str, **ways) -> str:
    """One line with all the messages, and neither file nor manifest."""
    with pytest.raises(SystemExit) as exit:
        get(folder, settings, **ways)
    line = str(exit.value)
    assert line.startswith("error: ") and len(line.splitlines()) == 1
    assert all(message in line for message in messages), line
    assert list(manifest(folder).parent.iterdir()) == []
    return line


def partials(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(".unfinished/*/*") if path.suffix != ".origin")


# --- what goes right ----------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [known, unknown])
def test_a_file_comes_as_it_is_and_leaves_no_work_behind(server, tmp_path, settings):
    assert get(tmp_path, settings(server.url)).read_bytes() == CONTENT
    assert not list((tmp_path / ".unfinished").iterdir())
    assert json.loads(manifest(tmp_path).read_text())["facts"] == {"from": server.url, "licence": ""}


@hypothesis_settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 30_000), max_size=6), st.sampled_from(["etag", "date", "weak"]))
def test_a_connection_cut_anywhere_is_gone_on_from_there(server, tmp_path_factory, cuts, tells):
    folder = tmp_path_factory.mktemp("cut")
    server.faults, server.tells, server.asked, server.sent = [f"cut {cut}" for cut in cuts], tells, [], 0
    assert get(folder, unknown(server.url)).read_bytes() == CONTENT
    assert server.sent == len(CONTENT)  # not a byte twice
    assert server.from_where == [0, *takewhile(lambda have: have < len(CONTENT), accumulate(cuts))]


def test_another_call_goes_on_where_the_last_one_failed(server, tmp_path):
    server.faults = ["cut 20000", *["status 503"] * 4]
    line = refused(tmp_path, known(server.url), server.url, "503", "3 times in a row", "run again to go on", "mirrors")
    assert "Service Unavailable" in line
    assert partials(tmp_path)[0].read_bytes() == CONTENT[:20_000]
    server.faults, server.asked = [], []
    assert get(tmp_path, known(server.url)).read_bytes() == CONTENT
    assert server.from_where == [20_000]


def test_a_process_that_is_killed_leaves_what_the_next_one_goes_on_from(server, tmp_path):
    server.faults = ["stall 30000"]
    words = arguments(manifest(tmp_path), known(server.url), mirrors="{}", offline="")
    process = subprocess.Popen([sys.executable, SCRIPTS / "download.py", *words], stderr=subprocess.PIPE)
    waited = time.monotonic() + 30
    while not (partials(tmp_path) and partials(tmp_path)[0].stat().st_size == 30_000):
        assert time.monotonic() < waited
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not manifest(tmp_path).exists() and not (manifest(tmp_path).parent / NAME).exists()
    assert get(tmp_path, known(server.url)).read_bytes() == CONTENT
    assert server.from_where == [0, 30_000]


def test_what_came_whole_is_not_asked_for_again(server, tmp_path):
    server.faults = ["cut 20000", *["status 503"] * 4]
    refused(tmp_path, known(server.url), "503")
    partials(tmp_path)[0].write_bytes(CONTENT)  # a process that died right before it could say so
    server.asked = []
    assert get(tmp_path, known(server.url)).read_bytes() == CONTENT
    assert server.asked == []


def test_a_server_that_knows_no_ranges_is_asked_for_all_of_it_again(server, tmp_path):
    server.ranges, server.faults = False, ["cut 20000", "cut 40000", "cut 10"]
    assert get(tmp_path, known(server.url)).read_bytes() == CONTENT
    assert server.from_where == [0, 20_000, 40_000, 10]


@pytest.mark.parametrize("tells", ["etag", "date", "weak", "nothing"])
def test_a_file_that_changes_on_the_way_comes_whole_in_one_of_its_forms(server, tmp_path, tells):
    server.tells, server.faults = tells, ["cut 20000", *["status 503"] * 4]
    refused(tmp_path, unknown(server.url), "503")
    server.content, server.faults, server.asked = OTHER + b"more", [], []
    assert get(tmp_path, unknown(server.url)).read_bytes() == OTHER + b"more"
    assert len(server.asked) == 1  # the server was told what the beginning is of


def test_a_changed_file_is_noticed_where_the_server_does_not_look_at_if_range(server, tmp_path, monkeypatch):
    server.faults = ["cut 20000", *["status 503"] * 4]
    refused(tmp_path, unknown(server.url), "503")
    server.content = OTHER
    monkeypatch.setattr(download, "_request", lambda url, kept, _, ask=download._request: ask(url, kept, None))
    assert get(tmp_path, unknown(server.url)).read_bytes() == OTHER
    assert server.from_where[-2:] == [20_000, 0]


def test_without_a_sign_that_it_is_the_same_only_a_checksum_allows_to_go_on(server, tmp_path):
    server.tells = "nothing"
    for folder, settings, wanted in (("a", known, [0, 20_000]), ("b", unknown, [0, 0])):
        server.faults, server.asked = ["cut 20000"], []
        assert get(tmp_path / folder, settings(server.url)).read_bytes() == CONTENT
        assert server.from_where == wanted


def test_a_shorter_file_than_what_is_here_of_it_is_begun_anew(server, tmp_path):
    server.tells, server.faults = "nothing", ["cut 20000", *["status 503"] * 4]
    refused(tmp_path, known(server.url, bytes=None), "503")
    server.content = CONTENT[:10]
    refused(tmp_path, known(server.url, bytes=None), MD5[4:])
    assert server.from_where[-2:] == [20_000, 0]


@pytest.mark.parametrize("fault", ["status 500", "status 429 0", "status 503 Wed, 21 Oct 2015 07:28:00 GMT", "stall 9"])
def test_what_may_pass_is_tried_again(server, tmp_path, monkeypatch, fault):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    server.faults = [fault] * 2
    assert get(tmp_path, known(server.url)).read_bytes() == CONTENT


def test_a_server_is_left_alone_for_as_long_as_it_asks(server, tmp_path, monkeypatch):
    naps = []
    monkeypatch.setattr(download, "time", SimpleNamespace(sleep=naps.append, time=time.time))
    monkeypatch.setattr(download, "SHORTEST", 1)
    later = formatdate(time.time() + 100, usegmt=True)
    server.faults = ["status 429 7", f"status 503 {later}", "cut 10", "status 429 99999", "status 500", "cut 10"]
    get(tmp_path, known(server.url))
    assert naps[0] == 7 and 90 < naps[1] <= 100 and naps[2:] == [1, download.LONGEST, 4, 1]


def test_redirects_are_followed_and_resumed(server, tmp_path):
    other = server.url.replace("official", "elsewhere")
    server.faults = [f"redirect {other}", "cut 20000", f"redirect {other}"]
    assert get(tmp_path, known(server.url)).read_bytes() == CONTENT
    assert [asked for path, asked in server.asked if path == f"/elsewhere/{NAME}"] == [None, "bytes=20000-"]


def test_a_file_that_is_here_and_right_is_not_fetched_again(server, tmp_path):
    path = get(tmp_path, known(server.url))
    manifest(tmp_path).unlink()
    assert get(tmp_path, known(server.url)).read_bytes() == CONTENT
    assert len(server.asked) == 1
    manifest(tmp_path).unlink()
    path.write_bytes(OTHER)
    assert get(tmp_path, known(server.url)).read_bytes() == CONTENT
    assert len(server.asked) == 2


# --- what goes wrong ----------------------------------------------------------------------------


def test_what_is_not_there_is_said_at_once(server, tmp_path):
    server.faults = ["status 404"]
    refused(tmp_path, known(server.url), f"{server.url}: the server says 404 Not Found; `mirrors` and `offline`")
    assert len(server.asked) == 1


def test_nobody_there(server, tmp_path):
    refused(tmp_path, known("http://127.0.0.1:9/x"), "http://127.0.0.1:9/x: ", "Connection refused, 3 times in a row")


def test_a_wrong_checksum_names_both_sums_and_the_next_call_begins_anew(server, tmp_path):
    server.content, server.faults = OTHER, ["cut 20000"]
    found = hashlib.md5(OTHER).hexdigest()
    refused(tmp_path, known(server.url), server.url, f"md5 {found}, expected {MD5[4:]}", "removed")
    assert partials(tmp_path) == []
    server.content, server.asked = CONTENT, []
    get(tmp_path, known(server.url))
    assert server.from_where == [0]


def test_a_wrong_size_is_noticed_before_anything_comes(server, tmp_path):
    refused(tmp_path, known(server.url, bytes=7), f"{server.url}: 50,000 bytes, expected 7;")
    assert partials(tmp_path) == []


def test_a_server_that_never_says_how_long_a_file_is(server, tmp_path):
    server.faults = ["silent 50000"]
    get(tmp_path / "a", unknown(server.url))
    server.faults, server.asked = ["silent 20000"], []
    assert get(tmp_path / "b", known(server.url)).read_bytes() == CONTENT
    assert server.from_where == [0, 20_000]
    server.faults, server.content = ["silent 50004"], CONTENT + b"more"
    refused(tmp_path / "c", known(server.url, checksum=None), "50,004 bytes, expected 50,000")
    server.content, server.faults = b"", ["silent 0"]
    refused(tmp_path / "d", unknown(server.url), "nothing in it")


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8", "application/gzip"])
@pytest.mark.parametrize("settings", [known, unknown])
def test_a_web_page_is_not_taken_for_the_file(server, tmp_path, kind, settings):
    server.faults = ["cut 20000", f"page {kind}"]
    refused(tmp_path, settings(server.url), server.url, "a web page came in place of the file")
    assert partials(tmp_path)[0].read_bytes() == CONTENT[:20_000]
    assert get(tmp_path, settings(server.url)).read_bytes() == CONTENT
    assert server.from_where == [0, 20_000, 20_000]


def test_a_disk_without_room_is_said_before_anything_is_written(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=49_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    refused(tmp_path, unknown(server.url), "not enough room; 50,000 bytes are needed, 49,999 are free")
    assert partials(tmp_path) == []


def test_a_disk_that_fills_up_is_one_line_and_what_was_written_is_kept(server, tmp_path):
    limits = (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    words = arguments(manifest(tmp_path), known(server.url), mirrors="{}", offline="")
    command = [sys.executable, SCRIPTS / "download.py", *words]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)  # noqa: E731
    found = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    (line,) = [line for line in found.stderr.splitlines() if "bytes/s" not in line]
    assert line.startswith(f"error: {partials(tmp_path)[0].parent}: ") and " bytes are needed, " in line
    assert list(manifest(tmp_path).parent.iterdir()) == [] and len(server.asked) == 1
    assert partials(tmp_path)[0].read_bytes() == CONTENT[:20_000]
    get(tmp_path, known(server.url))
    assert server.from_where == [0, 20_000]


def test_a_full_disk_is_no_reason_to_try_again(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download, "_write", full)
    refused(tmp_path, known(server.url), "No space left on device; 50,000 bytes are needed, ", " are free")
    assert len(server.asked) == 1


# --- other ways ---------------------------------------------------------------------------------


def test_the_longest_mirror_wins_and_only_whole_parts_of_an_address_count():
    mirrors = {"https://a.org/": "https://b.org/c", "https://a.org/data/": "/mnt/data", "https://a.org/dat": "wrong"}
    ways = {
        "https://a.org/x/y.gz": "https://b.org/c/x/y.gz",
        "https://a.org/data/deep/y.gz": "/mnt/data/deep/y.gz",
        "https://a.org/database/y.gz": "https://b.org/c/database/y.gz",
        "https://a.org.uk/y.gz": "https://a.org.uk/y.gz",
    }
    for url, way in ways.items():
        assert download.place_of(url, "y.gz", mirrors, "") == way
        assert download.place_of(url, "name", mirrors, "folder/") == "folder/name"
    assert download.place_of("https://a.org/x", "x", {"https://a.org/x": "file"}, "") == "file"


def test_a_mirror_is_another_address_and_goes_on_with_what_the_first_one_gave(server, tmp_path):
    official = "http://127.0.0.1:9/official"
    server.faults = ["cut 20000", *["status 503"] * 4]
    settings = known(f"{official}/{NAME}")
    first, second = (server.url.replace(f"official/{NAME}", place) for place in ("first", "second"))
    refused(tmp_path, settings, "503", mirrors={official: first})
    server.tells = "date"  # another server, with other signs
    assert get(tmp_path, settings, mirrors={official: second}).read_bytes() == CONTENT
    assert server.asked[-1] == (f"/second/{NAME}", "bytes=20000-") and server.sent == len(CONTENT)
    assert json.loads(manifest(tmp_path).read_text())["settings"] == settings


def test_another_address_or_checksum_never_goes_on_from_what_is_here(server, tmp_path):
    server.faults = ["cut 20000", *["status 503"] * 4]
    refused(tmp_path, known(server.url), "503")
    server.faults, server.asked = [], []
    get(tmp_path, known(server.url, checksum=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"))
    get(tmp_path, known(server.url + "?new", checksum=None))
    assert server.from_where == [0, 0]


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("way", ["mirror", "offline"])
def test_a_folder_in_place_of_the_network(tmp_path, monkeypatch, way, linked):
    folder = tmp_path / "brought"
    folder.mkdir()
    settings = known(f"https://nowhere.invalid/data/{NAME}")
    ways = {"mirrors": {"https://nowhere.invalid/data": str(folder)}} if way == "mirror" else {"offline": str(folder)}
    if not linked:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EXDEV, "another disk")))
    refused(tmp_path, settings, f"{folder}: no file '{NAME}' there; get it from {settings['url']}", **ways)
    (folder / NAME).write_bytes(OTHER)
    refused(tmp_path, settings, f"{folder}/{NAME}: md5 ", f"expected {MD5[4:]}; get it from {settings['url']}", **ways)
    (folder / NAME).write_bytes(CONTENT[:-1])
    refused(tmp_path, settings, f"{folder}/{NAME}: 49,999 bytes, expected 50,000", **ways)
    (folder / NAME).write_bytes(CONTENT)
    path = get(tmp_path, settings, **ways)
    assert path.read_bytes() == CONTENT
    assert path.samefile(folder / NAME) == linked
    assert (folder / NAME).read_bytes() == CONTENT


def test_a_copy_that_finds_no_room_is_one_line(tmp_path, monkeypatch):
    def full(source, path):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EXDEV, "another disk")))
    monkeypatch.setattr(shutil, "copyfile", full)
    (tmp_path / NAME).write_bytes(CONTENT)
    refused(tmp_path, known("x"), "No space left on device; 50,000 bytes are needed", offline=str(tmp_path))


def test_a_link_to_a_file_is_as_good_as_the_file(tmp_path):
    (tmp_path / "real").write_bytes(CONTENT)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / NAME).symlink_to("../real")
    path = get(tmp_path, known("x"), offline=str(tmp_path / "folder"))
    assert path.read_bytes() == CONTENT and not path.is_symlink()


def test_the_manifest_says_the_licence(tmp_path):
    (tmp_path / NAME).write_bytes(CONTENT)
    get(tmp_path, vars(Download(f"https://a/{NAME}", licence="CC BY-SA 3.0")), offline=str(tmp_path))
    assert json.loads(manifest(tmp_path).read_text())["facts"]["licence"] == "CC BY-SA 3.0"
