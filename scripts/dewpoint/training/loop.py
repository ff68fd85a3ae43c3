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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from dewpoint.artifact import Artifact
from dewpoint.errors import UserError
from dewpoint.models.device import take_device
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
    times: int  # evenly spread over the steps
    watched: str | None = None  # the value that should rise
    keep_best: bool = False  # the weights with the highest, instead of the last
    patience: int | None = None  # measurements without a rise, after which training ends


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
    device = take_device()
    model.to(device).train()
    optimizer = torch.optim.AdamW(parameter_groups(model, settings.weight_decay), lr=0.0, fused=True)
    schedule = Schedule(steps, settings.learning_rate, settings.warmup)
    measuring = measuring or Measuring(dict, 0)
    due = {round(steps * (time + 1) / measuring.times) for time in range(measuring.times)}
    workspace, leads = artifact.workspace(), devices.LEADS
    checkpoints, metrics, best = (workspace / name for name in ("checkpoint", "metrics.jsonl", "best.safetensors"))
    with devices.joined(device), stopping() as stop, ThreadPoolExecutor(1) as worker:
        start = load_checkpoint(checkpoints, model, optimizer)
        journal = Journal(metrics, start, artifact.board(), measuring.watched) if leads else None
        progress = Progress(steps, "steps", start, quiet=not leads)
        tokens, saved = 0, time.monotonic()
        coming = worker.submit(batch, start)
        for step in range(start, steps):
            made = coming.result()
            if step + 1 < steps:
                coming = worker.submit(batch, step + 1)
            if step == start and leads:
                log.info("%s", _plan(made, device, start, steps))
            rate = schedule.rate(step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            try:
                losses = objective(made.to(device))
            except torch.OutOfMemoryError:
                raise UserError(
                    "out of memory on the GPU; set a smaller `chunk` (tokens held at once) in config.yaml"
                ) from None
            devices.sum_gradients(model)
            norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip).item()
            if not math.isfinite(norm):
                raise UserError(_diverged(step, losses, checkpoints))
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            found = measuring.measure() if step + 1 in due else {}
            if leads:
                known = {"step": step, "loss": sum(losses.values()), **losses, **found}
                journal.write(known | {"learning_rate": rate, "gradient_norm": norm})
                if found and journal.waited == 0 and measuring.keep_best:
                    save_weights(best, model)
            tokens += made.tokens * devices.WORLD
            note = "".join(f"{name} {value:.3f}  " for name, value in (losses | found).items())
            progress.add(1, made.tokens * devices.WORLD, note)
            enough = leads and measuring.patience is not None and journal.waited >= measuring.patience
            signs = torch.tensor([stop.asked, leads and journal.diverged, enough], dtype=torch.float, device=device)
            asked, diverged, enough = devices.summed(signs).tolist()
            if diverged:
                raise UserError(_diverged(step, losses, checkpoints))
            if enough:
                log.info("%s has not risen for %s measurements; training ends", measuring.watched, measuring.patience)
                steps = step + 1
                break
            due_now = (step + 1) % checkpoint_steps == 0 or time.monotonic() - saved > CHECKPOINT_SECONDS
            if leads and (asked or due_now):
                saved = time.monotonic()
                journal.flush()
                save_checkpoint(checkpoints, model, optimizer, step + 1)
            if asked:
                raise UserError(f"stopped at step {step + 1} of {steps}; the same command resumes there")
    seconds = time.monotonic() - progress.began
    if leads:
        journal.close()
        if journal.best_step is not None:
            kept = journal.best_step if measuring.keep_best else steps - 1
            artifact.facts |= {
                f"best_{measuring.watched}": journal.best,
                "best_step": journal.best_step,
                "kept_step": kept,
            }
        if measuring.keep_best:
            load_weights(best, model)
        shutil.copyfile(metrics, artifact.path("metrics.jsonl"))
        shutil.rmtree(workspace)
    artifact.facts |= {"steps": steps, "devices": devices.WORLD}
    artifact.facts |= {"training_seconds": round(seconds, 1)} if start == 0 else {}
    artifact.facts |= {"tokens_per_second": round(tokens / seconds)} if steps > start else {}
    artifact.facts |= {"parameters": sum(parameter.numel() for parameter in model.parameters())}


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Matrices decay; biases and layer norms do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def _plan(batch: Batch, device: torch.device, start: int, steps: int) -> str:
    where = f"{devices.WORLD} processes" if devices.WORLD > 1 else "one process"
    resumed = f"resumed at step {start} of {steps}; " if start else ""
    return f"{resumed}{batch.rows} rows a step, by {where} on {device.type} in {len(batch.chunks)} chunks each"


def _diverged(step: int, losses: dict[str, float], checkpoints: Path) -> str:
    shown = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
    good = f"; the last good checkpoint is {checkpoints}" if checkpoints.exists() else ""
    return f"training diverged at step {step} ({shown}); lower learning_rate{good}"


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
