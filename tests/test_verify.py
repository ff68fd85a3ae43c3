"""What is damaged is found by reading all of it; where two runs part is said by the first artifact that differs."""

import json
import shutil

import pytest

from dewpoint.artifact import Artifact, read_manifest, write_manifest
from dewpoint.compared import compare
from dewpoint.inventory import inventory
from dewpoint.verify import examine


def make(manifest, text, inputs=(), **settings):
    artifact = Artifact(manifest, settings, "code", inputs)
    artifact.path("x" if manifest.name == "manifest.json" else f"{manifest.stem}.parquet.txt").write_text(text)
    artifact.seal()
    return manifest


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A dataset, a model of it, its run; and notes, which are not to be believed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEWPOINT_NOTES", str(tmp_path / "results/.notes"))
    data = make(tmp_path / "data/docs/manifest.json", "passages")
    model = make(tmp_path / "results/s/models/first/manifest.json", "weights", [data], seed=1)
    make(tmp_path / "results/s/runs/first/docs.test.json", "ranks", [model])
    return tmp_path


def held(folder):
    return inventory(folder / "results/s", folder / "data")


def test_what_is_whole(study):
    found = examine(held(study))
    assert found.files == 3 and not found.damaged and not found.outdated and not found.absent


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


MODEL = "results/s/models/first"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda folder: flip(folder / MODEL / "x"), f"{MODEL}/x: damaged"),
        (lambda folder: (folder / MODEL / "x").unlink(), f"{MODEL}/x: is missing"),
        (lambda folder: (folder / MODEL / "x").write_text("w"), f"{MODEL}/x: has 1 bytes, its manifest says 7"),
        (lambda folder: (folder / MODEL / "query").write_text(""), f"{MODEL}/query: no manifest speaks for it"),
        (lambda folder: (folder / MODEL / "manifest.json").write_text("{"), f"{MODEL}/manifest.json: not a manifest"),
        (lambda folder: (folder / "data/docs/x").write_text("PASSAGES"), "data/docs/x: damaged"),
    ],
)
def test_what_is_not(study, fault, said):
    fault(study)
    damaged = examine(held(study)).damaged
    assert len(damaged) == 1 and said in damaged[0]


def test_a_word_of_a_manifest(study):
    manifest = study / MODEL / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"seed": 1', '"seed": 2'))
    (wrong,) = examine(held(study)).damaged
    assert "damaged, it does not add up to its sum" in wrong


def test_an_input_that_is_another_now(study):
    make(study / "data/docs/manifest.json", "other passages")
    (line,) = examine(held(study)).outdated
    assert "models/first" in line and "data/docs is another than the one it was made from" in line


def test_where_two_runs_part(study, tmp_path):
    """By the first up the chain, and with what was otherwise there."""
    shutil.copytree(study / "results", study / "then/results")
    shutil.copytree(study / "data", study / "then/data")
    model = make(study / MODEL / "manifest.json", "other weights", [study / "data/docs/manifest.json"], seed=2)
    make(study / "results/s/runs/first/docs.test.json", "other ranks", [model])
    record = read_manifest(model)
    record["run"]["threads"] = {"torch": 7}
    write_manifest(model, record)
    found = compare(held(study), held(study / "then"))
    assert (found.equal, found.other) == (1, ["models/first", "runs/first/docs.test"])
    assert found.lines[0] == "models/first: x" and "    settings: seed: 1 → 2" in found.lines
    assert any("threads torch" in line for line in found.lines)
    assert json.dumps(found.lines).count("runs/first") == 0  # it follows
