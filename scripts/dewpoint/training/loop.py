"""The training loop, one for all recipes.

A recipe supplies a model, a stream (`batch(step)`) and an objective (`objective(batch)` runs backward and returns named
losses). Everything random is a function of the seed, the step and the row, so a resumed run repeats nothing and
remembers nothing but the weights, the optimizer and the step; and the devices that share a batch need no talk about it.
"""

import logging
import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from dewpoint.artifact import Artifact
from dewpoint.errors import Stopped, UserError
from dewpoint.models.device import compute_alike, take_device
from dewpoint.progress import Progress
from dewpoint.training import devices
from dewpoint.training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights
from dewpoint.training.chunks import Batch
from dewpoint.training.journal import Journal

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 300


@dataclass
class Measuring:
    """What is measured while a model is trained, how often, and what follows from it."""

    measure: Callable[[], dict[str, float]]
    times: int  # evenly spread over the steps, where `every` does not say how many lie between
    watched: str | None = None  # the value that should rise
    keep_best: bool = False  # the weights with the highest, instead of the last
    patience: int | None = None  # measurements without a rise, after which training ends
    every: int | None = None  # steps; at the end, too

    def due(self, steps: int) -> set[int]:
        """How many steps are done when it is time to measure."""
        if self.every:
            return {*range(self.every, steps, self.every), steps}
        return {round(steps * (time + 1) / self.times) for time in range(self.times)}


@dataclass
class Workspace:
    """What lies in the folder of a training that is not finished."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    def best(self, step: int) -> Path:
        """The weights after a step at which what is watched was highest; named, for a checkpoint may go back before."""
        return self.folder / f"best-{step}.safetensors"

    def forget_all_but(self, step: int | None) -> None:
        """Of the best weights; a checkpoint from which these were is written."""
        for path in self.folder.glob("best-*.safetensors"):
            if step is None or path != self.best(step):
                path.unlink()

    def leave(self, artifact: Artifact) -> None:
        """Training is finished: the metrics are the artifact's; the rest goes when that is sealed."""
        shutil.copyfile(self.metrics, artifact.path("metrics.jsonl"))
        artifact.finished = self.folder


@dataclass
class Schedule:
    """Linear warm-up, then linear decay to zero."""

    steps: int
    learning_rate: float
    warmup: float  # share of the steps

    def rate(self, step: int) -> float:
        rising = self.steps * self.warmup
        if step < rising:
            return self.learning_rate * (step + 1) / (rising + 1)
        return self.learning_rate * (self.steps - step) / max(1.0, self.steps - rising)


def train(
    model: nn.Module,
    batch: Callable[[int], Batch],
    objective: Callable[[Batch], dict[str, float]],
    settings,
    steps: int,
    artifact: Artifact,
    checkpoint_steps: int,
    measuring: Measuring | None = None,
) -> None:
    """Train `model` in place for `steps` steps; losses, and what is measured now and then, go to metrics.jsonl."""
    device, leads = take_device(), devices.LEADS
    compute_alike(settings.threads)
    model.to(device).train()
    optimizer = _adamw(model, settings.weight_decay)
    schedule = Schedule(steps, settings.learning_rate, settings.warmup)
    measuring = measuring or Measuring(dict, 0)
    due, workspace = measuring.due(steps), Workspace(artifact.workspace())
    with devices.joined(device), stopping() as stop, ThreadPoolExecutor(1) as worker:
        start = done = load_checkpoint(workspace.checkpoint, model, optimizer)
        journal = Journal(workspace.metrics, start, artifact.board(), measuring.watched) if leads else None
        progress, saved = Progress(steps, "steps", start, quiet=not leads), time.monotonic()
        for step, made in _ahead(worker, batch, start, steps):
            if step == start and leads:
                log.info("%s", _plan(made, device, start, steps))
            rate = schedule.rate(step)
            for group in optimizer.param_groups:
                group["lr"] = rate

            with _memory_named():
                losses = objective(made.to(device))
            devices.sum_gradients(model)
            norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip).item()
            if not math.isfinite(norm):
                raise UserError(_diverged(step, losses, workspace.checkpoint))
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            done = step + 1

            found = measuring.measure() if done in due else {}
            if leads:
                known = {"step": step, "loss": sum(losses.values()), **losses, **found}
                journal.write(known | {"learning_rate": rate, "gradient_norm": norm})
                if found and journal.waited == 0 and measuring.keep_best:
                    save_weights(workspace.best(step), model)
            note = "".join(f"{name} {value:.3f}  " for name, value in (losses | found).items())
            progress.add(1, made.tokens * devices.WORLD, note)

            reasons = _reasons_to_end(stop, journal, measuring.patience, device)
            if reasons.diverged:
                raise UserError(_diverged(step, losses, workspace.checkpoint))
            if reasons.enough:
                log.info("%s has not risen for %s measurements; training ends", measuring.watched, measuring.patience)
                break
            save_now = done % checkpoint_steps == 0 or time.monotonic() - saved > CHECKPOINT_SECONDS
            if leads and (reasons.asked or save_now):
                saved = time.monotonic()
                journal.flush()
                save_checkpoint(workspace.checkpoint, model, optimizer, done)
                workspace.forget_all_but(journal.best_step)
            if reasons.asked:
                raise Stopped(f"stopped at step {done} of {steps}; the same command resumes there")
    pace = _pace_facts(progress, start, done)
    if leads:
        journal.close()
        artifact.facts |= _best_facts(journal, measuring, done)
        if measuring.keep_best:
            load_weights(workspace.best(journal.best_step), model)
        workspace.leave(artifact)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    artifact.facts |= {"steps": done, "devices": devices.WORLD, **pace, "parameters": parameters}


# --- what it steps with -------------------------------------------------------------------------


def _adamw(model: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW; its learning rate is set before each step."""
    groups = parameter_groups(model, weight_decay)
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.999), eps=1e-8, fused=True)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Matrices decay; biases and layer norms do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def _ahead(
    worker: ThreadPoolExecutor, batch: Callable[[int], Batch], start: int, steps: int
) -> Iterator[tuple[int, Batch]]:
    """Each step with its batch, which is made while the step before is worked on."""
    coming = worker.submit(batch, start)
    for step in range(start, steps):
        made = coming.result()
        if step + 1 < steps:
            coming = worker.submit(batch, step + 1)
        yield step, made


@contextmanager
def _memory_named():
    """A GPU that is too small is said in one line, with the setting that makes do with less."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(
            "out of memory on the GPU; set a smaller `chunk` (tokens held at once) in config.yaml"
        ) from None


# --- when it ends -------------------------------------------------------------------------------


class Stop:
    asked = False


@contextmanager
def stopping():
    """Turns SIGTERM (a time limit, a preemption) and Ctrl-C into a checkpoint at the end of the step."""
    stop = Stop()

    def ask(*_):
        stop.asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Reasons(NamedTuple):
    """Why training may end after a step."""

    asked: bool  # by a signal
    diverged: bool
    enough: bool  # measurements without a rise


def _reasons_to_end(stop: Stop, journal: Journal | None, patience: int | None, device: torch.device) -> Reasons:
    """Any process may be asked, the one that leads has the journal; all get the same answer at the same step."""
    diverged = journal is not None and journal.diverged
    enough = journal is not None and patience is not None and journal.waited >= patience
    seen = torch.tensor([stop.asked, diverged, enough], dtype=torch.float, device=device)
    return Reasons(*map(bool, devices.summed(seen).tolist()))


# --- what is said of it -------------------------------------------------------------------------


def _plan(batch: Batch, device: torch.device, start: int, steps: int) -> str:
    where = f"{devices.WORLD} processes" if devices.WORLD > 1 else "one process"
    resumed = f"resumed at step {start} of {steps}; " if start else ""
    return f"{resumed}{batch.rows} rows a step, by {where} on {device.type} in {len(batch.chunks)} chunks each"


def _diverged(step: int, losses: dict[str, float], checkpoints: Path) -> str:
    shown = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
    good = f"; the last good checkpoint is {checkpoints}" if checkpoints.exists() else ""
    return f"training diverged at step {step} ({shown}); lower learning_rate{good}"


def _best_facts(journal: Journal, measuring: Measuring, done: int) -> dict[str, float]:
    """The best of what is watched, and the step whose weights are kept; nothing where nothing was measured."""
    if journal.best_step is None:
        return {}
    kept = journal.best_step if measuring.keep_best else done - 1
    return {f"best_{measuring.watched}": journal.best, "best_step": journal.best_step, "kept_step": kept}


def _pace_facts(progress: Progress, start: int, done: int) -> dict[str, float]:
    """How long it took, unless a part was done before, and how fast this part was."""
    seconds = time.monotonic() - progress.began
    facts = {"training_seconds": round(seconds, 1)} if start == 0 else {}
    return facts | ({"tokens_per_second": round(progress.made / seconds)} if done > start else {})
