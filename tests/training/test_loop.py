"""The loop: interrupted equals straight, divergence stops, the schedule is what it says."""

import json
import os
import signal
from types import SimpleNamespace

import pytest
import torch

from dewpoint.artifact import read_manifest
from dewpoint.errors import UserError
from dewpoint.training import loop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_equals_straight(trained, world, bert, monkeypatch, number):
    """Stopped after the second step, then the same command again: same weights, same metrics, bit for bit."""
    straight = trained("condenser", "straight", bert)
    steps = 0
    clip = loop.nn.utils.clip_grad_norm_

    def interrupt(*args):
        nonlocal steps
        steps += 1
        if steps == 2:
            os.kill(os.getpid(), number)
        return clip(*args)

    monkeypatch.setattr(loop.nn.utils, "clip_grad_norm_", interrupt)
    with pytest.raises(UserError, match="stopped at step 2 of 6"):
        trained("condenser", f"resumed-{number}", bert)
    assert not (world.root / f"resumed-{number}" / "manifest.json").exists()
    steps = 10
    resumed = trained("condenser", f"resumed-{number}", bert)
    assert steps == 10 + 4
    for name in ("model.safetensors", "head.safetensors", "metrics.jsonl"):
        assert (straight.parent / name).read_bytes() == (resumed.parent / name).read_bytes()


def test_divergence_stops(trained, world):
    with pytest.raises(UserError, match=r"diverged at step \d+ .*lower learning_rate"):
        trained("mlm", "diverged", None, learning_rate=1e30, steps=20)
    assert not (world.root / "diverged" / "manifest.json").exists()


def test_schedule_rises_then_falls_to_zero():
    schedule = loop.Schedule(steps=100, learning_rate=1.0, warmup=0.1)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[10] == 1.0 and 0 < rates[0] < 0.2 and 0 < rates[-1] < 0.02


def test_biases_and_norms_do_not_decay():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    decaying, still = loop.parameter_groups(model, 0.01)
    assert [p.shape for p in decaying["params"]] == [(4, 3)] and decaying["weight_decay"] == 0.01
    assert len(still["params"]) == 3 and still["weight_decay"] == 0


def test_one_seed_gives_one_model_and_another_gives_another(trained, bert):
    def weights(name, seed):
        return read_manifest(trained("mlm", name, None, seed=seed))["files"]["model.safetensors"]["sha256"]

    assert weights("seed-3", 3) == read_manifest(bert)["files"]["model.safetensors"]["sha256"]
    assert weights("seed-4", 4) != weights("seed-3b", 3)


def test_metrics_are_json_lines(bert):
    lines = [json.loads(line) for line in (bert.parent / "metrics.jsonl").open()]
    assert [line["step"] for line in lines] == list(range(6))
    assert SimpleNamespace(**lines[0]).mlm > 0
