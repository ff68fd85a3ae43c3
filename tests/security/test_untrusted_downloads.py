"""What is downloaded is what is known of it; where nothing is known, that is said, and no link is followed outside."""

import hashlib
import logging

import pytest

from dewpoint.data.catalogue import Download
from dewpoint.data.download import bring, place_of
from dewpoint.errors import UserError

TEXT = b"some text"
SHA = f"sha256:{hashlib.sha256(TEXT).hexdigest()}"
URL = "https://a/file.tsv"


@pytest.fixture
def offline(tmp_path):
    (tmp_path / "offline").mkdir()
    return tmp_path / "offline"


def brought(folder, file: Download):
    path = folder.parent / "made"
    path.unlink(missing_ok=True)
    bring(place_of(file.url, "file.tsv", {}, str(folder)), file, path, folder.parent / "unfinished")
    return path


@pytest.mark.parametrize(("checksum", "warned"), [(SHA, 0), (None, 1)])
def test_a_file_that_nothing_can_check_is_warned_of(offline, caplog, checksum, warned):
    caplog.set_level(logging.WARNING)
    (offline / "file.tsv").write_bytes(TEXT)
    assert brought(offline, Download(URL, checksum=checksum)).read_bytes() == TEXT
    assert caplog.text.count(f"warning: {offline}/file.tsv: no checksum of it is known") == warned


def test_a_link_outside_is_followed_only_where_a_checksum_tells_what_it_is(offline):
    secret = offline.parent / "secret"
    secret.write_bytes(TEXT)
    (offline / "file.tsv").symlink_to(secret)
    assert brought(offline, Download(URL, checksum=SHA)).read_bytes() == TEXT
    for known in (Download(URL), Download(URL, bytes=len(TEXT))):
        with pytest.raises(
            UserError, match=f"^{offline}/file.tsv: a link that leads outside, to {secret}, and no chec"
        ):
            brought(offline, known)
        assert not (offline.parent / "made").exists()
    with pytest.raises(UserError, match=r"sha256 .*, expected"):
        brought(offline, Download(URL, checksum="sha256:" + "0" * 64))


def test_links_within_and_to_the_folder_are_followed(offline):
    (offline / "real").write_bytes(TEXT)
    (offline / "file.tsv").symlink_to("real")
    (offline.parent / "linked").symlink_to(offline)
    assert brought(offline.parent / "linked", Download(URL)).read_bytes() == TEXT


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://a/b", "data:text/plain,x", "//etc/passwd/x"])
def test_only_the_web_and_folders_are_places(offline, place):
    with pytest.raises(UserError, match=r"no file '.*' there; get it from https://a/file.tsv"):
        bring(place, Download(URL), offline / "made", offline / "unfinished")
