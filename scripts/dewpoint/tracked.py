"""Trainings followed by a tracker of experiments: what a journal writes is handed on, and no result knows of it.

The journal's file is read while it grows. A training that goes on writes the steps after its checkpoint again, the same
ones; which were handed on is remembered in its workspace, and they are handed on once.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread

from dewpoint.artifact import Artifact
from dewpoint.errors import UserError
from dewpoint.notes import write_at_once

log = logging.getLogger(__name__)

TRACKER = "DEWPOINT_TRACKER"  # config.yaml's `tracker`, as jobs are told
SECONDS = 5  # between two looks
PACKAGES = ("tensorboard", "wandb")
HANDED_ON = "handed-on.json"  # in the workspace: how many steps


@contextmanager
def tracked(artifact: Artifact | None) -> Iterator[None]:
    """Follows the training that makes it, where config.yaml names a tracker. TensorBoard's files the journal writes."""
    tracker = os.environ.get(TRACKER, "none")
    if artifact is None or artifact.helper or tracker == "none":
        yield
        return
    if tracker not in PACKAGES:
        raise UserError(f"tracker: expected none, {' or '.join(PACKAGES)}, found '{tracker}'")
    if find_spec(tracker) is None:
        raise UserError(f"config.yaml: tracker: {tracker} is not installed; pip install {tracker}, or tracker: none")
    if tracker == "tensorboard":
        yield
        return
    run = begun(artifact)
    ended, lines = Event(), Lines(artifact.workspace() / "metrics.jsonl", artifact.workspace() / HANDED_ON)
    thread = Thread(target=_follow, args=(lines, run, ended), daemon=True)
    thread.start()
    code = 1
    try:
        yield
        code = 0
    finally:
        ended.set()
        thread.join()
        run.finish(exit_code=code)


def begun(artifact: Artifact):
    """A run of Weights & Biases: the same one whenever this very training goes on."""
    import wandb

    results, name = artifact.folder.parent.parent, artifact.folder.name
    try:
        return wandb.init(
            project=results.name,
            name=name,
            id=artifact.workspace().name[-16:],
            resume="allow",
            dir=str(results),
            config=artifact.settings,
            settings=wandb.Settings(console="off", quiet=True),
        )
    except wandb.errors.Error as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"config.yaml: tracker: wandb: {said}; `wandb login`, or WANDB_MODE=offline") from None


class Lines:
    """The whole lines of a journal that were not handed on yet; line i is that of step i."""

    def __init__(self, path: Path, note: Path):
        self.path, self.note = path, note
        self.line = self.offset = 0  # of what comes next
        try:
            self.handed = int(json.loads(note.read_text()))
        except (OSError, ValueError):
            self.handed = 0

    def new(self) -> Iterator[dict[str, float]]:
        """A journal that was cut back to a checkpoint is read from its beginning."""
        try:
            file = open(self.path, "rb")
        except OSError:  # not yet, or not any more
            return
        with file:
            if os.fstat(file.fileno()).st_size < self.offset:
                self.line = self.offset = 0
            file.seek(self.offset)
            for text in file:
                values = _whole(text, self.line)
                if values is None:
                    if text.endswith(b"\n"):  # it was cut back, and has grown beyond where we were
                        self.line = self.offset = 0
                    break
                self.line, self.offset = self.line + 1, self.offset + len(text)
                if self.line > self.handed:
                    self.handed = self.line
                    yield values

    def remember(self) -> None:
        if self.path.exists():
            write_at_once(self.note, json.dumps(self.handed))


def _whole(text: bytes, step: int) -> dict[str, float] | None:
    """A line's values; nothing where it is not all there, or of another step."""
    try:
        values = json.loads(text) if text.endswith(b"\n") else None
    except ValueError:
        return None
    return values if isinstance(values, dict) and values.get("step") == step else None


def _follow(lines: Lines, run, ended: Event) -> None:
    """Until it has ended, and once more. What the tracker does not take ends no training."""
    while True:
        last = ended.wait(SECONDS)
        try:
            for values in lines.new():
                run.log({name: value for name, value in values.items() if name != "step"}, step=values["step"])
            lines.remember()
        except Exception as error:  # a training of days is worth more than its curve
            log.warning("warning: tracker: %s; the training goes on without it", str(error).splitlines()[:1])
            return
        if last:
            return
