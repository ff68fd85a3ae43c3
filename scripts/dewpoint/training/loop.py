"""The training loop, one for all recipes.

A recipe supplies a model, a stream (`batch(step)`) and an objective (`objective(batch, step)` runs backward and
returns named losses). Everything random is a function of the seed and the step, so a resumed run repeats nothing and
remembers nothing but the weights, the optimizer and the step.
"""

import json
import logging
import math
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from dewpoint.artifact import Artifact
from dewpoint.errors import UserError
from dewpoint.models.backbone import pick_device, precision
from dewpoint.training.checkpoint import load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)

LOG_SECONDS, CHECKPOINT_SECONDS = 10, 300


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
    batch: Callable[[int], object],
    objective: Callable[[object, int], dict[str, float]],
    settings,
    steps: int,
    artifact: Artifact,
) -> None:
    """Train `model` in place for `steps` steps; losses go to metrics.jsonl of the artifact."""
    device = pick_device()
    model.to(device).train()
    optimizer = torch.optim.AdamW(parameter_groups(model, settings.weight_decay), lr=0.0, fused=True)
    schedule = Schedule(steps, settings.learning_rate, settings.warmup)
    checkpoints = artifact.workspace()
    with stopping() as stop, precision(settings.precision, device):
        start, history = load_checkpoint(checkpoints, model, optimizer)
        if start:
            log.info("resumed at step %d of %d", start, steps)
        began = logged = saved = time.monotonic()
        for step in range(start, steps):
            rate = schedule.rate(step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            torch.manual_seed(settings.seed * 1_000_003 + step)
            losses = objective(batch(step), step)
            norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip).item()
            if not math.isfinite(norm):
                raise UserError(f"training diverged at step {step} (losses {losses}); lower learning_rate")
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            history.append({"step": step, **losses, "learning_rate": rate, "gradient_norm": norm})
            now = time.monotonic()
            if now - logged > LOG_SECONDS or step + 1 == steps:
                logged = now
                left = (now - began) / (step + 1 - start) * (steps - step - 1)
                shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
                log.info("step %d/%d  %s  %d:%02d left", step + 1, steps, shown, *divmod(round(left), 60))
            if stop.asked or now - saved > CHECKPOINT_SECONDS:
                saved = now
                save_checkpoint(checkpoints, model, optimizer, step + 1, history)
                if stop.asked:
                    raise UserError(f"stopped at step {step + 1} of {steps}; the same command resumes there")
        seconds = time.monotonic() - began
    shutil.rmtree(checkpoints, ignore_errors=True)
    artifact.path("metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history))
    artifact.facts |= {"steps": steps, "steps_per_second": round((steps - start) / seconds, 2)} if steps > start else {}
    artifact.facts |= {"parameters": sum(parameter.numel() for parameter in model.parameters())}


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Matrices decay; biases and layer norms do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


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
