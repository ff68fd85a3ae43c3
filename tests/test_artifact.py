"""Artifacts appear whole or not at all, and say what they are made of."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from dewpoint import program
from dewpoint.artifact import Artifact, checked, content_hash, member, read_manifest
from dewpoint.errors import UserError
from programs import arguments, prepare, tables, write_files

HASH = hashlib.file_digest


def make(manifest, files, **options):
    artifact = Artifact(manifest, **options)
    for name, text in files.items():
        artifact.path(name).write_text(text)
    artifact.seal()
    return read_manifest(manifest)


def made(manifest, files, **options):
    make(manifest, files, **options)
    return manifest


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_nothing_is_to_be_seen_before_the_seal(tmp_path):
    artifact = Artifact(tmp_path / "a/manifest.json")
    artifact.path("sub/x.txt").write_text("x")
    assert [name for name in tree(tmp_path / "a") if not name.startswith(".partial")] == []
    artifact.seal()
    assert tree(tmp_path) == ["a/manifest.json", "a/sub/x.txt"]


def test_the_manifest_comes_last(tmp_path, monkeypatch):
    order, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append(b.name), replace(a, b)))
    make(tmp_path / "manifest.json", {"b": "", "a": "", "z/z": ""})
    assert order == ["a", "b", "z", "manifest.json"]


def test_an_old_manifest_never_vouches_for_new_files(tmp_path, monkeypatch):
    """A crash between two files of a second making leaves no manifest."""
    make(tmp_path / "manifest.json", {"a": "old", "b": "old"})
    replace = os.replace

    def crash(source, target):
        if target.name == "b":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "manifest.json", {"a": "new", "b": "new"})
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("error", [UserError("line 1\nline 2"), RuntimeError("a bug"), KeyboardInterrupt()])
def test_a_program_that_fails_leaves_nothing(tmp_path, monkeypatch, error):
    def main(artifact: Artifact) -> None:
        artifact.path("half.txt").write_text("half")
        raise error

    monkeypatch.setattr(sys, "argv", ["main", *arguments(tmp_path / "out/manifest.json", {})])
    with pytest.raises(SystemExit if isinstance(error, UserError) else type(error)) as raised:
        program.run(main)
    assert tree(tmp_path) == []
    if isinstance(error, UserError):
        assert raised.value.code == 2 and str(raised.value) == "error: line 1 line 2"


def test_a_broken_parquet_file_is_one_line(tmp_path):
    artifact = Artifact(tmp_path / "x.parquet.json")
    artifact.beside("").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(UserError, match=r"^x.parquet: not a Parquet file \("):
        artifact.seal()
    artifact.discard()
    assert tree(tmp_path) == []


def test_a_stale_staging_folder_is_no_part_of_an_artifact(tmp_path):
    write_files(tmp_path, {".partial-manifest.json/left.txt": "from a killed process"})
    assert list(make(tmp_path / "manifest.json", {"a": "x"})["files"]) == ["a"]


def test_single_files_share_a_folder(tmp_path):
    for name in ("d.test", "d.train"):
        artifact = Artifact(tmp_path / f"{name}.json")
        artifact.beside(".txt").write_text(name)
        artifact.seal()
    assert tree(tmp_path) == ["d.test.json", "d.test.txt", "d.train.json", "d.train.txt"]
    assert member(tmp_path / "d.test.json").read_text() == "d.test"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda path: path.unlink(), "{0}/a.txt: is missing, its manifest says 5 bytes; delete {0}/manifest.json"),
        (lambda path: path.write_text("he"), "{0}/a.txt: has 2 bytes, its manifest says 5 bytes; delete {0}/manifest"),
        (lambda path: path.write_text("hallo"), "{0}/a.txt: damaged, it does not hold what was written (SHA-256); de"),
    ],
)
def test_a_member_that_is_not_whole_is_refused_by_name(tmp_path, fault, message):
    make(tmp_path / "manifest.json", {"a.txt": "hello"})
    fault(tmp_path / "a.txt")
    with pytest.raises(UserError) as error:
        member(tmp_path / "manifest.json", "a.txt")
    assert str(error.value).startswith(message.format(tmp_path))


def test_a_member_that_never_was(tmp_path):
    make(tmp_path / "manifest.json", {"a.txt": "", "b.txt": ""})
    with pytest.raises(
        UserError, match=r"manifest\.json: has no file 'c\.txt', only a\.txt, b\.txt; if .*, delete it and"
    ):
        member(tmp_path / "manifest.json", "c.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such manifest; run the rule that makes it"),
        ('{"format": 1, "files"', "not a manifest (Expecting ':'"),
        (b"\xff\xfe", "not a manifest ("),
        ("[]", "format None, expected 1; delete it and run again"),
        ('{"format": 0}', "format 0, expected 1; delete it and run again"),
        ('{"format": 1, "sum": "0"}', "damaged, it does not add up to its sum; delete it and run again"),
    ],
)
def test_what_is_no_manifest(tmp_path, content, message):
    write_files(tmp_path, {} if content is None else {"manifest.json": content})
    with pytest.raises(UserError) as error:
        read_manifest(tmp_path / "manifest.json")
    assert str(error.value).startswith(f"{tmp_path}/manifest.json: {message}")


def test_the_same_content_has_the_same_hash(tmp_path):
    one, two = (read_manifest(prepare(tmp_path, tables(tmp_path), name)) for name in ("one", "two"))
    other = read_manifest(prepare(tmp_path, tables(tmp_path, {"corpus.csv": "id,text\np1,one\np2,too\n"}), "other"))
    assert one["content"] == two["content"] != other["content"]
    assert one["files"] == two["files"]
    assert one["files"]["corpus.parquet"]["rows"] == 2


def test_names_are_content_too(tmp_path):
    one = make(tmp_path / "one/manifest.json", {"a": "x"})
    two = make(tmp_path / "two/manifest.json", {"b": "x"})
    assert one["content"] != two["content"]


def test_inputs_are_known_by_what_they_hold(tmp_path):
    """A manifest made again with the same files is the same input; any other file counts byte by byte."""
    manifest, plain = tmp_path / "in/manifest.json", tmp_path / "plain.txt"
    make(manifest, {"a": "x"}, settings={"n": 1})
    first = content_hash(manifest)
    make(manifest, {"a": "x"}, settings={"n": 2})
    assert content_hash(manifest) == first
    make(manifest, {"a": "y"})
    assert content_hash(manifest) != first
    plain.write_text("{}")
    assert content_hash(plain) == content_hash(plain) != ""


def test_data_in_json_is_no_manifest(tmp_path):
    """Somebody's file counts byte by byte, whatever its fields are called."""
    write_files(tmp_path, {"a.json": '{"content": "x"}', "b.json": '{"content": "x"}\n', "c.json": '{"format": "x"}'})
    assert len({content_hash(tmp_path / name) for name in ("a.json", "b.json", "c.json")} - {"", "x"}) == 3


def test_the_workspace_follows_settings_code_and_inputs(tmp_path):
    write_files(tmp_path, {"i": "1", "j": "2"})
    options = {"settings": {"a": 1, "b": 2}, "code": "x", "inputs": [tmp_path / "i"]}

    def key(**changes):
        return Artifact(tmp_path / "out/manifest.json", **options | changes).workspace()

    other = [key(settings={"a": 1, "b": 3}), key(code="y"), key(inputs=[tmp_path / "j"]), key(inputs=[])]
    assert key() == key(settings={"b": 2, "a": 1})
    assert len({key(), *other}) == 5
    changed = key()
    (tmp_path / "i").write_text("3")
    assert key() != changed


def test_a_manifest_says_how_it_was_made(tmp_path):
    (tmp_path / "i").write_text("")
    record = make(tmp_path / "o/manifest.json", {"a": ""}, settings={"k": "v"}, code="c", inputs=[tmp_path / "i"])
    assert (record["settings"], record["code"], list(record["inputs"])) == ({"k": "v"}, "c", [str(tmp_path / "i")])
    assert {"seconds", "peak_memory_mb", "device", "python", "versions", "commit", "finished"} <= set(record["run"])


def test_without_git_no_commit_is_named(tmp_path, monkeypatch):
    """As in a small container: PATH has folders, but no git in them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    record = make(tmp_path / "o/manifest.json", {"a": "x"})
    assert record["run"]["commit"] is None and record["files"].keys() == {"a"}


def test_a_helper_works_beside_the_maker_and_leaves_nothing(tmp_path):
    """Processes that share a training: one makes the files, all know where work in progress lies."""
    maker, helper = (Artifact(tmp_path / "m" / "manifest.json", {"a": 1}, "code", helper=rank) for rank in (0, 1))
    assert maker.workspace() == helper.workspace()
    maker.path("weights").write_text("mine")
    helper.path("weights").write_text("not wanted")
    helper.seal()
    helper.discard()
    assert not maker.manifest.exists()
    maker.seal()
    assert (tmp_path / "m" / "weights").read_text() == "mine"
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["manifest.json", "weights"]


def test_two_artifacts_never_share_work_in_progress(tmp_path):
    one, other = (Artifact(tmp_path / name / "manifest.json", {"a": 1}, "code") for name in ("one", "other"))
    assert one.workspace() != other.workspace() and one.workspace().parent == other.workspace().parent


@pytest.mark.parametrize("manifest_is_lost", [False, True])
def test_what_an_earlier_version_left_is_removed(tmp_path, manifest_is_lost):
    """But no other artifact that lies in the folder, and none that is being made there."""
    make(tmp_path / "a/manifest.json", {"weights": "1", "query/weights": "1", "query/deep/x": "1"})
    make(tmp_path / "a/tokens/words/manifest.json", {"ids": "1"})
    making = Artifact(tmp_path / "a/others/manifest.json")
    making.path("x").write_text("")
    if manifest_is_lost:
        (tmp_path / "a/manifest.json").unlink()
    make(tmp_path / "a/manifest.json", {"weights": "2"})
    making.seal()
    assert tree(tmp_path / "a") == [
        "manifest.json",
        "others/manifest.json",
        "others/x",
        "tokens/words/ids",
        "tokens/words/manifest.json",
        "weights",
    ]


def test_an_input_is_looked_at_before_it_is_used(tmp_path):
    """Every file of it, whichever the program will read."""
    whole = made(tmp_path / "a/manifest.json", {"one": "1", "two": "2"})
    (tmp_path / "a/two").write_text("3")
    with pytest.raises(UserError, match="a/two: damaged"):
        Artifact(tmp_path / "b/manifest.json", inputs=[whole])


def test_a_file_is_hashed_once_for_each_of_its_states(tmp_path, monkeypatch):
    """And one that was overwritten in place, at equal size and with its time put back, is another state."""
    monkeypatch.setenv("DEWPOINT_NOTES", str(tmp_path / ".notes"))
    manifest = made(tmp_path / "a/manifest.json", {"one": "1"})
    file = manifest.parent / "one"
    reads = []
    monkeypatch.setattr("hashlib.file_digest", lambda file, name: reads.append(file.name) or HASH(file, name))
    assert checked(manifest) == checked(manifest) and reads == []  # its maker knew it
    said = file.stat()
    file.write_text("2")
    os.utime(file, ns=(said.st_atime_ns, said.st_mtime_ns))
    with pytest.raises(UserError, match="damaged"):
        checked(manifest)
    assert reads == [str(file)]


def test_a_second_process_waits_and_takes_what_the_first_has_made(tmp_path, monkeypatch):
    monkeypatch.setenv("DEWPOINT_NOTES", str(tmp_path / ".notes"))
    place = tmp_path / "a/manifest.json"
    first = Artifact(place, {"k": 1}, "code")
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(Artifact, place, {"k": 1}, "code")
        first.path("x").write_text("made once")
        first.seal()
        assert second.result(30).is_made() == place
        second.result().discard()


def test_a_finished_artifact_whose_manifest_was_deleted_is_not_made_again(tmp_path, monkeypatch):
    """As Snakemake does before a job that it takes for unfinished."""
    monkeypatch.setenv("DEWPOINT_NOTES", str(tmp_path / ".notes"))
    place = made(tmp_path / "a/manifest.json", {"x": "made"}, code="code")
    before = place.read_text()
    place.unlink()
    again = Artifact(place, {}, "code")
    assert again.is_made() == place and place.read_text() == before
    again.discard()
    place.unlink()
    (tmp_path / "a/x").write_text("MADE")
    again = Artifact(place, {}, "code")
    assert again.is_made() is None


def test_work_in_progress_goes_only_when_the_artifact_is_there(tmp_path, monkeypatch):
    artifact = Artifact(tmp_path / "a/manifest.json")
    artifact.finished = tmp_path / "unfinished"
    write_files(tmp_path, {"unfinished/checkpoint": "hours of work"})
    artifact.path("x").write_text("1")
    with monkeypatch.context() as full, pytest.raises(OSError, match="full"):
        full.setattr("dewpoint.artifact.write_manifest", lambda *_: (_ for _ in ()).throw(OSError("full")))
        artifact.seal()
    assert (tmp_path / "unfinished/checkpoint").exists()
    artifact.path("x").write_text("1")
    artifact.seal()
    assert not (tmp_path / "unfinished").exists()
