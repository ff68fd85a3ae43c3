"""The journal goes on where the checkpoint was, and knows a training that diverges from one that is noisy."""

import json
import sys

import numpy as np
import pytest

from dewpoint.training.journal import WINDOW, Journal


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "metrics.jsonl", 0, tmp_path / "board")


def write(journal: Journal, losses) -> bool:
    for step, loss in enumerate(losses):
        journal.write({"step": step, "loss": float(loss)})
    return journal.diverged


def falling(steps: int) -> np.ndarray:
    return 4 + 6 * np.exp(-np.arange(steps) / 200) + np.random.default_rng(0).normal(0, 0.5, steps)


def test_a_noisy_training_goes_on(journal):
    assert not write(journal, falling(1000))


def test_a_loss_that_climbs_back_half_way_has_diverged(journal):
    assert write(journal, [*falling(1000), *np.full(2 * WINDOW, 8.0)])


def test_a_small_loss_may_double(journal):
    assert not write(journal, [*np.full(WINDOW, 0.2), *np.full(WINDOW, 0.1), *np.full(WINDOW, 0.3)])


@pytest.mark.parametrize(("start", "diverged"), [(700, False), (1000, True)])
def test_it_goes_on_after_the_checkpoint_and_remembers_what_was(journal, tmp_path, start, diverged):
    assert write(journal, [*falling(700), *np.full(300, 9.0)])
    journal.close()
    again = Journal(tmp_path / "metrics.jsonl", start, tmp_path / "board")
    assert again.diverged == diverged
    again.write({"step": start, "loss": 1.0})
    again.close()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    assert [line["step"] for line in lines] == list(range(start + 1)) and lines[-1]["loss"] == 1.0


def test_tensorboard_gets_every_number_where_it_is_installed(tmp_path, monkeypatch):
    """Its own writer is no part of the environment; one with its signature takes its place."""
    seen = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            seen.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            seen.append((name, value, step))

        def close(self):
            seen.append("closed")

    module = type(sys)("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    journal = Journal(tmp_path / "metrics.jsonl", 0, tmp_path / "board")
    journal.write({"step": 0, "loss": 2.0})
    journal.close()
    assert seen == [(tmp_path / "board", 0), ("step", 0, 0), ("loss", 2.0, 0), "closed"]
