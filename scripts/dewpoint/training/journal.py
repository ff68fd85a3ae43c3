"""metrics.jsonl while it grows: a line a step, for people to follow, for TensorBoard, and to see a training diverge."""

import json
import math
import os
from pathlib import Path

from dewpoint.errors import UserError

WINDOW = 100  # steps whose mean loss is looked at
CLIMB = 1.0  # a smaller rise is noise


class Journal:
    """Continues the lines of an interrupted run up to its checkpoint; what came after is written again."""

    def __init__(self, path: Path, start: int, board: Path, watched: str | None = None):
        """`watched` is the measurement that should rise: its best, and how often it has not risen since, are known."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        kept = path.read_text().splitlines(keepends=True)[:start]
        if len(kept) < start:
            found = f"{len(kept):,} lines, but the checkpoint is of step {start:,}"
            raise UserError(f"{path}: {found}; delete {path.parent} and run again")
        self.window: list[float] = []
        self.first, self.lowest, self.diverged = None, math.inf, False
        self.watched, self.best, self.best_step, self.waited = watched, -math.inf, None, 0
        for line in kept:
            self._watch(json.loads(line))
        os.truncate(path, sum(len(line.encode()) for line in kept))  # what is kept is never unwritten, not for a moment
        self.file = open(path, "a", encoding="utf-8")
        self.board = _tensorboard(board, start)

    def write(self, line: dict[str, float]) -> None:
        """`line` has a step, a loss, and whatever else is known."""
        self.file.write(json.dumps(line) + "\n")
        self._watch(line)
        if self.board:
            for name, value in line.items():
                self.board.add_scalar(name, value, line["step"])

    def flush(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        self.file.close()
        if self.board:
            self.board.close()

    def _watch(self, line: dict[str, float]) -> None:
        """A training has diverged when its mean loss has climbed back half of what it had come down."""
        if self.watched in line:
            self.waited += 1
            if line[self.watched] > self.best:
                self.best, self.best_step, self.waited = line[self.watched], line["step"], 0
        self.window.append(line["loss"])
        if len(self.window) == WINDOW:
            mean, self.window = sum(self.window) / WINDOW, []
            self.first = mean if self.first is None else self.first
            self.lowest = min(self.lowest, mean)
            self.diverged |= mean > self.lowest + max(CLIMB, (self.first - self.lowest) / 2)


def _tensorboard(folder: Path, start: int):
    """A writer of TensorBoard's files, where TensorBoard is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=start)
