"""Trainings handed on to a tracker: each step once, whatever is interrupted; and no tracker changes what is made."""

import json
import struct
from importlib.util import find_spec
from pathlib import Path

import pytest

from dewpoint.artifact import Artifact
from dewpoint.errors import Stopped, UserError
from dewpoint.program import run
from dewpoint.study.fingerprint import NO_RESULT
from dewpoint.tracked import TRACKER, Lines, tracked
from dewpoint.training.given import Pace
from dewpoint.training.journal import Journal
from programs import arguments

STEPS = 12
BLOCK, WHOLE, LAST = 32_768, 1, 4
PACE = {"chunk": 0, "checkpoint": 1}


def lines(*steps: int) -> str:
    return "".join(json.dumps({"step": step, "loss": step / 2}) + "\n" for step in steps)


def steps(reader: Lines) -> list[int]:
    return [values["step"] for values in reader.new()]


def test_lines_are_handed_on_once_and_whole(tmp_path):
    path = tmp_path / "metrics.jsonl"
    reader = Lines(path, tmp_path / "note")
    assert steps(reader) == []
    path.write_text(lines(0, 1, 2)[:-3])
    assert steps(reader) == [0, 1]
    path.write_text(lines(0, 1, 2, 3))
    assert steps(reader) == [2, 3] and steps(reader) == []


@pytest.mark.parametrize("grown", [3, 4, 6, 9])
def test_a_journal_that_was_cut_back_is_handed_on_where_it_was(tmp_path, grown):
    """Whether it is shorter by then, as long, or longer."""
    path = tmp_path / "metrics.jsonl"
    reader = Lines(path, tmp_path / "note")
    path.write_text(lines(*range(6)))
    assert steps(reader) == [*range(6)]
    path.write_text(lines(*range(grown)))
    found = [step for _ in range(3) for step in steps(reader)]
    assert found == [*range(6, grown)]


def test_another_process_goes_on_where_the_first_was(tmp_path):
    path, note = tmp_path / "metrics.jsonl", tmp_path / "note"
    path.write_text(lines(0, 1, 2))
    first = Lines(path, note)
    assert steps(first) == [0, 1, 2]
    first.remember()
    path.write_text(lines(0, 1, 2, 3))
    assert steps(Lines(path, note)) == [3]
    note.write_text("no number")
    assert steps(Lines(path, note)) == [0, 1, 2, 3]


def training(artifact: Artifact, settings, pace: Pace) -> None:
    """Six steps, then it is stopped; the second time it goes on at the fourth."""
    folder = artifact.workspace()
    again = (folder / "checkpoint").exists()
    journal = Journal(folder / "metrics.jsonl", 4 if again else 0, artifact.board())
    for step in range(4 if again else 0, STEPS if again else 6):
        journal.write({"step": step, "loss": step / 2})
    journal.flush()
    (folder / "checkpoint").touch()
    if not again:
        raise Stopped("stopped at step 6")
    journal.close()
    artifact.path("metrics.jsonl").write_text((folder / "metrics.jsonl").read_text())
    artifact.finished = folder


def train(folder: Path, monkeypatch, tracker: str | None) -> dict:
    """The manifest of a training that was stopped once."""
    monkeypatch.setenv("DEWPOINT_NOTES", str(folder / "notes"))
    monkeypatch.delenv(TRACKER, raising=False)
    if tracker:
        monkeypatch.setenv(TRACKER, tracker)
    output = folder / "s/models/first/manifest.json"
    words = [*arguments(output, {"learning_rate": 0.1}, **PACE), "--code", "c0de"]
    with pytest.raises(SystemExit, match="stopped at step 6"):
        run(training, words)
    run(training, words)
    return json.loads(output.read_text())


def test_a_tracker_is_in_no_fingerprint():
    assert "dewpoint.tracked" in NO_RESULT


@pytest.mark.parametrize("tracker", ["wandb", "tensorboard"])
def test_a_package_that_is_missing_is_said_with_how_to_install_it(tmp_path, monkeypatch, tracker):
    if find_spec(tracker):
        pytest.skip(f"{tracker} is installed")
    monkeypatch.setenv(TRACKER, tracker)
    told = f"^config.yaml: tracker: {tracker} is not installed; pip install {tracker}, or tracker: none$"
    artifact = Artifact(tmp_path / "s/models/first/manifest.json")
    with pytest.raises(UserError, match=told), tracked(artifact):
        pass
    with tracked(None):  # what is no training has nothing to follow
        pass


def test_wandb_gets_each_step_once_in_one_run_and_nothing_else_is_made(tmp_path, monkeypatch):
    """For real, offline: read back from the files that wandb itself would send."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    plain = train(tmp_path / "plain", monkeypatch, None)
    made = train(tmp_path / "followed", monkeypatch, "wandb")
    assert {key: made[key] for key in ("content", "settings", "facts")} == {
        key: plain[key] for key in ("content", "settings", "facts")
    }
    files = sorted((tmp_path / "followed/s/wandb").glob("offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime)
    assert len(files) == 2 and len({path.name for path in files}) == 1, "two attempts, one run"
    found = [steps_of(path) for path in files]
    assert found == [[*range(6)], [*range(6, STEPS)]]


def steps_of(path: Path) -> list[int]:
    """Of the values in a file of wandb's, whose records are framed as LevelDB's log is."""
    from wandb.proto import wandb_internal_pb2

    data, place, found, part = path.read_bytes(), 7, [], b""
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:  # too little is left of the block
            place += BLOCK - place % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        part, place = part + data[place + 7 : place + 7 + length], place + 7 + length
        if kind in (WHOLE, LAST):
            record, part = wandb_internal_pb2.Record.FromString(part), b""
            if record.WhichOneof("record_type") == "history":
                values = {".".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
                assert json.loads(values["loss"]) == record.history.step.num / 2
                found.append(record.history.step.num)
    return found


def test_tensorboard_shows_a_training_that_went_on_as_one(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(tmp_path, monkeypatch, "tensorboard")
    events = EventAccumulator(str(tmp_path / "s/tensorboard/first"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (step, step / 2) for step in range(STEPS)
    ]
