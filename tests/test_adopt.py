"""The same work once: an artifact of the same settings, code and inputs is taken over, wherever it lies."""

import json
import shutil
from importlib import import_module

import pytest

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.program import flags
from dewpoint.study.kind import TAGS, kinds
from programs import SCRIPTS

# no part of what is the same
CHANGE_NOTHING = {"chunk", "checkpoint", "threads", "study", "mirrors", "offline", "results", "data", "command"}
FUNCTIONS = ("work", "index", "rank", "probe", "latency")


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch):
    monkeypatch.setenv("DEWPOINT_NOTES", str(tmp_path / ".notes"))


def make(manifest, inputs, settings=None, code="c0de", text="made"):
    artifact = Artifact(manifest, settings or {"k": 1}, code, inputs)
    name = "model.bin" if manifest.name == "manifest.json" else f"{manifest.stem}.parquet.txt"
    artifact.path(name).write_text(text)
    artifact.facts |= {"queries": 3}
    artifact.seal()
    return manifest


def again(manifest, inputs, settings=None, code="c0de"):
    artifact = Artifact(manifest, settings or {"k": 1}, code, inputs)
    other = artifact.is_made()
    artifact.discard()
    return other


def inputs(tmp_path, text="same"):
    path = tmp_path / f"{text}-{len(list(tmp_path.iterdir()))}.txt"
    path.write_text(text)
    return [path]


@pytest.mark.parametrize("name", ["models/{}/manifest.json", "runs/{}/docs.test.json"])
def test_inputs_of_other_names_that_hold_the_same(tmp_path, name):
    first = make(tmp_path / "one" / name.format("a"), inputs(tmp_path))
    second = tmp_path / "two" / name.format("b")
    assert again(second, inputs(tmp_path)) == first
    one, two = read_manifest(first), read_manifest(second)
    assert one["content"] == two["content"] and one["facts"] == two["facts"] and two["run"]["adopted"] == str(first)
    files = [[path for path in at.parent.iterdir() if path != at] for at in (first, second)]
    assert [path.stat().st_ino for path in files[0]] == [path.stat().st_ino for path in files[1]]


def test_what_is_other_is_made_anew(tmp_path):
    make(tmp_path / "one/manifest.json", inputs(tmp_path))
    assert again(tmp_path / "2/manifest.json", inputs(tmp_path, "other")) is None
    assert again(tmp_path / "3/manifest.json", inputs(tmp_path), settings={"k": 2}) is None
    assert again(tmp_path / "4/manifest.json", inputs(tmp_path), code="edited") is None
    assert again(tmp_path / "5/manifest.json", inputs(tmp_path)) is not None


def test_one_without_a_fingerprint_is_never_taken(tmp_path):
    make(tmp_path / "one/manifest.json", [], code="")
    assert again(tmp_path / "two/manifest.json", [], code="") is None


def test_a_damaged_one_is_not_taken(tmp_path):
    first = make(tmp_path / "one/manifest.json", [])
    (first.parent / "model.bin").write_text("cut")
    assert again(tmp_path / "two/manifest.json", []) is None


def test_a_note_that_says_otherwise_is_not_taken(tmp_path):
    make(tmp_path / "one/manifest.json", [])
    note = next(path for path in (tmp_path / ".notes/made").rglob("*") if path.is_file())
    said = json.loads(note.read_text())
    said["record"]["settings"] = {"k": 2}
    note.write_text(json.dumps(said))
    assert again(tmp_path / "two/manifest.json", []) is None
    note.write_text(json.dumps(said)[:50])
    assert again(tmp_path / "two/manifest.json", []) is None


def test_a_copy_of_the_results_has_notes_of_its_own(tmp_path, monkeypatch):
    """What they name is in the copy."""
    given = inputs(tmp_path)
    make(tmp_path / "results/one/manifest.json", given)
    monkeypatch.setenv("DEWPOINT_NOTES", str(tmp_path / "results/.notes"))
    make(tmp_path / "results/one/manifest.json", given)
    shutil.copytree(tmp_path / "results", tmp_path / "copy")
    shutil.rmtree(tmp_path / "results")
    monkeypatch.setenv("DEWPOINT_NOTES", str(tmp_path / "copy/.notes"))
    assert again(tmp_path / "copy/two/manifest.json", given).resolve() == tmp_path / "copy/one/manifest.json"


def test_nothing_is_taken_over_where_that_is_not_wanted(tmp_path, monkeypatch):
    make(tmp_path / "one/manifest.json", inputs(tmp_path))
    monkeypatch.setenv("DEWPOINT_REUSE", "no")
    assert again(tmp_path / "two/manifest.json", inputs(tmp_path)) is None


def test_nothing_is_looked_for_where_nobody_says_where(tmp_path, monkeypatch):
    make(tmp_path / "one/manifest.json", [])
    monkeypatch.setenv("DEWPOINT_NOTES", "")
    assert again(tmp_path / "two/manifest.json", []) is None


def test_what_a_program_is_told_beside_settings_and_inputs_changes_nothing():
    """Or two artifacts would be taken for one."""
    scripts = [import_module(path.stem) for path in SCRIPTS.glob("*.py") if path.stem not in ("ask", "plan", "work")]
    mains = [script.main for script in scripts if hasattr(script, "main")]
    modules = [import_module(kind.module()) for folder in TAGS for kind in kinds(folder).values()]
    entries = [module for module in modules if module.__name__.split(".")[1] in ("recipes", "rankers", "analyses")]
    mains += [getattr(module, name) for module in entries for name in FUNCTIONS if hasattr(module, name)]
    told = {flag for main in mains for flag, type in flags(main).items() if type in (int, str)}
    assert told == CHANGE_NOTHING
