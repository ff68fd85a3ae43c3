"""An artifact is up to date when its manifest says what its job would say, and for no other reason."""

import os

import pytest

from dewpoint.artifact import Artifact
from dewpoint.study.stale import stale

SETTINGS = {"k": 1}


@pytest.fixture
def made(tmp_path):
    """(an artifact, its inputs: another artifact and a file of the user's)."""
    source = Artifact(tmp_path / "source/manifest.json", {}, "code")
    source.path("x").write_text("1")
    source.seal()
    (tmp_path / "texts.csv").write_text("a,b")
    inputs = [source.manifest, tmp_path / "texts.csv"]
    artifact = Artifact(tmp_path / "made/manifest.json", SETTINGS, "code", inputs)
    artifact.path("x").write_text("2")
    artifact.seal()
    return artifact.manifest, inputs


def test_times_and_repeated_inputs_say_nothing(made):
    manifest, inputs = made
    for path in inputs:
        os.utime(path, (2e9, 2e9))
    assert stale(manifest, SETTINGS, "code", [*inputs, inputs[0]]) is None


def test_what_the_job_would_do_otherwise(made):
    manifest, inputs = made
    assert stale(manifest, {"k": 2}, "code", inputs) == "settings changed"
    assert stale(manifest, SETTINGS, "edited", inputs) == "code changed"
    assert stale(manifest, SETTINGS, "code", inputs[:1]) == "inputs changed"
    inputs[1].write_text("a,c")
    assert stale(manifest, SETTINGS, "code", inputs) == "inputs changed"


def test_an_input_that_is_gone_is_as_it_was(made):
    manifest, inputs = made
    inputs[0].unlink()
    assert stale(manifest, SETTINGS, "code", inputs) is None


def test_what_is_not_there_is_not_stale(made, tmp_path):
    """Whether it is needed, Snakemake knows."""
    assert stale(tmp_path / "none/manifest.json", SETTINGS, "code", []) is None


def test_files_that_are_not_whole(made):
    manifest, inputs = made
    (manifest.parent / "x").write_text("")
    assert stale(manifest, SETTINGS, "code", inputs) == f"{manifest.parent}/x is not whole"
    manifest.write_text(manifest.read_text().replace('"k": 1', '"k": 3'))
    assert "does not add up" in stale(manifest, {"k": 3}, "code", inputs)
