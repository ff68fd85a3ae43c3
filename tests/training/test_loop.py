"""The loop: interrupted equals straight, divergence stops, the schedule is what it says."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from math import log
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dewpoint.artifact import read_manifest
from dewpoint.errors import UserError
from dewpoint.losses import contrast
from dewpoint.training import loop
from dewpoint.training.proxy import Proxy
from programs import arguments, command
from training.conftest import ASKED, DISTILLED, development, read_by, settings, taught_by, taught_in_batches


def same(one, other):
    """Every file of two models but the manifest, which has the time it took; the model card's title is a name."""

    def files(made):
        paths = [path for path in made.parent.rglob("*") if path.is_file() and path != made]
        return {
            path.relative_to(made.parent): path.read_bytes().replace(made.parent.name.encode(), b"") for path in paths
        }

    assert {Path("model.safetensors"), Path("metrics.jsonl")} <= files(one).keys()
    return files(one) == files(other)


MEASURE = "development_MRR@10"


@pytest.mark.parametrize(
    ("recipe", "number"),
    [
        ("condenser", signal.SIGTERM),
        ("condenser", signal.SIGINT),
        ("retriever", signal.SIGTERM),
        ("colbert", signal.SIGTERM),
        ("crossencoder", signal.SIGTERM),
        ("monot5", signal.SIGTERM),
    ],
)
def test_interrupted_equals_straight(trained, world, bert, t5, monkeypatch, recipe, number):
    """Stopped after the second step, then the same command again: same weights, same metrics, bit for bit.

    The retriever follows a teacher, in batches of clusters, the late interaction one that scores them as they come.
    """
    more = DISTILLED | {"files": taught_by(world), "batch_size": 7} if recipe == "retriever" else {}
    if recipe == "colbert":
        files = taught_in_batches(world, trained("retriever", "teaches-batches", bert))
        more = {"loss": {"name": "kl", "temperature": 1.0}, "augmented": True, "files": files, "batch_size": 7}
    if recipe in ("crossencoder", "monot5"):
        more = {"batch_size": 7}
    if recipe == "monot5":
        more |= ASKED | {"source": t5.source, "files": t5.files}
    train = partial(trained, recipe, parent=None if recipe == "monot5" else bert, **more)
    straight = train(f"straight-{recipe}")
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
        train(f"resumed-{recipe}-{number}")
    assert not (world.root / f"resumed-{recipe}-{number}" / "manifest.json").exists()
    steps = 10
    resumed = train(f"resumed-{recipe}-{number}")
    assert steps == 10 + 4
    assert same(straight, resumed)


@pytest.mark.parametrize("recipe", ["cocondenser", "retriever"])
def test_killed_equals_straight(world, bert, tmp_path, recipe):
    """SIGKILL wherever it strikes, and again as soon as it has gone on: what comes out in the end is the same."""
    watched = development(depth=5, measurements=6)
    values = settings(source="study", steps=60, measurements=4, epochs=20, development=watched)
    files = read_by(world, recipe, bert, **{"development": [world.run]} if recipe == "retriever" else {})

    def start(name):
        output = tmp_path / name / "manifest.json"
        words = arguments(output, values, **files, chunk=60, checkpoint=3)
        log = open(tmp_path / f"{name}.log", "a")
        return output, subprocess.Popen([sys.executable, *command(f"recipes.{recipe} work"), *words], stderr=log)

    straight, process = start("straight")
    assert process.wait() == 0
    killed, process = start("killed")
    wanted = random.Random(time.time_ns()).randrange(4, 40)
    while process.poll() is None:
        with suppress(FileNotFoundError, ValueError):  # just then it is being written anew
            for state in tmp_path.glob(".unfinished/killed-*/checkpoint/state.json"):
                if json.loads(state.read_text())["step"] >= wanted:
                    process.kill()
    assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
    assert not killed.exists()
    log = tmp_path / "killed.log"
    _, process = start("killed")
    while "resumed at step" not in log.read_text():
        assert process.poll() is None
    process.kill()
    process.wait()
    _, process = start("killed")
    assert process.wait() == 0
    assert log.read_text().count("resumed at step") == 2
    assert same(straight, killed), f"killed after step {wanted}"
    assert not list(tmp_path.glob(".unfinished/*"))


def test_threads_of_the_machine_change_nothing(trained):
    """What a training computes with is a setting, whatever it finds; a model is large enough here for it to matter."""
    shape = {"family": "bert", "layers": 1, "hidden": 128, "heads": 2, "intermediate": None, "positions": 64}
    wide = {"architecture": shape | {"dropout": 0.0}, "batch_size": 32, "length": 64, "steps": 3, "held_out": 0.0}
    made = []
    for found in (1, 3):
        torch.set_num_threads(found)
        made.append(trained("mlm", f"threads-{found}", **wide, threads=2))
    assert same(*made)
    assert not same(made[0], trained("mlm", "threads-other", **wide, threads=1))


@pytest.fixture
def stopped(trained, world, bert, monkeypatch):
    """A training that was stopped after its second step: (the folder of what is left, how to go on)."""
    clip = loop.nn.utils.clip_grad_norm_

    def stop(*args):
        stop.steps += 1
        if stop.steps == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return clip(*args)

    stop.steps = 0
    monkeypatch.setattr(loop.nn.utils, "clip_grad_norm_", stop)
    name = f"stopped-{time.time_ns()}"
    with pytest.raises(UserError, match="stopped at step 2 of 6"):
        trained("condenser", name, bert)
    return next(world.root.glob(f".unfinished/{name}-*/")), lambda: trained("condenser", name, bert)


def test_a_damaged_checkpoint_is_not_gone_on_from(stopped, trained, bert):
    folder, go_on = stopped
    tensors = folder / "checkpoint" / "tensors.safetensors"
    content = bytearray(tensors.read_bytes())
    content[-5] ^= 1
    tensors.write_bytes(content)
    assert same(go_on(), trained("condenser", "undamaged", bert))


def test_metrics_that_were_lost_are_missed(stopped):
    """The best so far is read from them."""
    folder, go_on = stopped
    (folder / "metrics.jsonl").write_text("")
    with pytest.raises(UserError, match=r"metrics.jsonl: 0 lines, but the checkpoint is of step 2; delete "):
        go_on()


def test_divergence_stops(trained, world):
    with pytest.raises(UserError, match=r"diverged at step \d+ .*lower learning_rate"):
        trained("mlm", "diverged", None, learning_rate=1e30, steps=20)
    assert not (world.root / "diverged" / "manifest.json").exists()


def test_nan_leaves_the_last_good_checkpoint(trained, world, monkeypatch):
    calls, right = 0, contrast.work

    def breaks(scores, known, settings):
        nonlocal calls
        calls += 1
        return right(scores, known, settings) * (1 if calls < 4 else torch.nan)

    monkeypatch.setattr(contrast, "work", breaks)
    with pytest.raises(
        UserError, match=r"diverged at step 3 .*lower learning_rate; the last good checkpoint is .*/checkpoint$"
    ) as e:
        trained("cocondenser", "nan", None, checkpoint=2, measurements=0)
    folder = Path(str(e.value).split("checkpoint is ")[1])
    assert json.loads((folder / "state.json").read_text())["step"] == 2


def test_what_is_measured_is_held_out_and_noted(trained, world, bert):
    """Measured as often as asked, on text that is not trained on; the loss falls there; nothing else changes by it."""
    manifest = trained("cocondenser", "measured", bert, steps=20, measurements=4, learning_rate=3e-3)
    lines = [json.loads(line) for line in (manifest.parent / "metrics.jsonl").open()]
    measured = [line for line in lines if "held_out_head_mlm" in line]
    assert [line["step"] for line in measured] == [4, 9, 14, 19]
    assert measured[-1]["held_out_head_mlm"] < measured[0]["held_out_head_mlm"]
    for line in measured:  # what is not found has less than half of the probability, so a loss of log 2 at least
        assert line["held_out_head_mlm"] >= (1 - line["held_out_head_mlm_accuracy"]) * log(2)
        assert line["held_out_contrast"] >= (1 - line["held_out_span_accuracy"]) * log(2)
        assert 4 * line["held_out_span_accuracy"] in range(5)  # of the four spans of two documents
    without = trained("cocondenser", "unmeasured", bert, steps=20, measurements=0, learning_rate=3e-3)
    assert (without.parent / "model.safetensors").read_bytes() == (manifest.parent / "model.safetensors").read_bytes()


def test_without_held_out_text_it_says_so(trained, bert, caplog):
    manifest = trained("mlm", "nothing-held-out", bert, held_out=1e-9)
    assert "nothing is measured on the way" in caplog.text
    assert "held_out" not in (manifest.parent / "metrics.jsonl").read_text()


def test_another_models_checkpoint_is_never_taken(trained, world, bert, caplog):
    """Two models with the same settings, of which one was left unfinished."""
    caplog.set_level("INFO")
    with pytest.raises(UserError, match="stopped"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Stop, "asked", True)
        trained("mlm", "one-of-two", bert)
    trained("mlm", "two-of-two", bert)
    assert "resumed" not in caplog.text
    trained("mlm", "one-of-two", bert)
    assert "resumed at step 1" in caplog.text


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
    assert lines[0]["loss"] == lines[0]["mlm"] > 0


# --- measurements that decide -------------------------------------------------------------------


def measured(trained, bert, monkeypatch, name, values, keep="best", patience=None, every=None, **changed):
    """A retriever whose measurements are `values`; (its manifest, its weights when each was taken)."""
    seen, coming = [], iter(values)

    def measure(self, model, *_):
        seen.append(model.passages.backbone.embeddings.word_embeddings.weight.detach().clone())
        return {MEASURE: next(coming)}

    monkeypatch.setattr(Proxy, "measure", measure)
    wanted = development(measurements=len(values), every=every, keep=keep, patience=patience)
    return trained("retriever", name, bert, development=wanted, epochs=4, batch_size=3, **changed), seen


def embeddings(manifest):
    return load_file(manifest.with_name("model.safetensors"))["embeddings.word_embeddings.weight"]


@pytest.mark.parametrize(("keep", "kept"), [("best", 1), ("last", 3)])
def test_the_best_or_the_last_is_kept(trained, bert, monkeypatch, keep, kept):
    """The second of four measurements is the best, the third is equal to it."""
    manifest, seen = measured(trained, bert, monkeypatch, f"keeps-{keep}", [0.1, 0.7, 0.7, 0.2], keep)
    assert torch.equal(embeddings(manifest), seen[kept])
    facts = read_manifest(manifest)["facts"]
    assert (facts[f"best_{MEASURE}"], facts["best_step"], facts["kept_step"]) == (0.7, 9, 9 if keep == "best" else 19)
    lines = [json.loads(line) for line in (manifest.parent / "metrics.jsonl").open()]
    assert {line["step"]: line[MEASURE] for line in lines if MEASURE in line} == {4: 0.1, 9: 0.7, 14: 0.7, 19: 0.2}


@pytest.mark.parametrize(("patience", "steps"), [(1, 15), (2, 20), (None, 20)])
def test_training_ends_when_it_does_not_rise(trained, bert, monkeypatch, caplog, patience, steps):
    caplog.set_level("INFO")
    name = f"patience-{patience}"
    manifest, _ = measured(trained, bert, monkeypatch, name, [0.1, 0.7, 0.7, 0.2], patience=patience)
    assert read_manifest(manifest)["facts"]["steps"] == steps
    assert (f"{MEASURE} has not risen for {patience} measurements; training ends" in caplog.text) == (
        patience is not None
    )


def test_a_resumed_training_remembers_its_best(trained, world, bert, monkeypatch):
    """Stopped after the best measurement: its weights are kept although a later, worse one follows."""
    values, clip, steps = [0.1, 0.7, 0.3, 0.2], loop.nn.utils.clip_grad_norm_, 0

    def interrupt(*args):
        nonlocal steps
        steps += 1
        if steps == 12:
            os.kill(os.getpid(), signal.SIGTERM)
        return clip(*args)

    monkeypatch.setattr(loop.nn.utils, "clip_grad_norm_", interrupt)
    with pytest.raises(UserError, match="stopped at step 12"):
        measured(trained, bert, monkeypatch, "best-resumed", values)
    manifest, _ = measured(trained, bert, monkeypatch, "best-resumed", values[2:] * 2)
    straight, _ = measured(trained, bert, monkeypatch, "best-straight", values)
    assert torch.equal(embeddings(manifest), embeddings(straight))
    assert read_manifest(manifest)["facts"]["best_step"] == 9


@pytest.mark.parametrize(("every", "due"), [(7, {7, 14, 20}), (10, {10, 20}), (50, {20})])
def test_it_is_measured_every_so_many_steps_and_at_the_end(trained, bert, monkeypatch, every, due):
    assert loop.Measuring(dict, 3, every=every).due(20) == due
    values = [0.1] * len(due)
    manifest, seen = measured(trained, bert, monkeypatch, f"every-{every}", values, every=every)
    lines = [json.loads(line) for line in (manifest.parent / "metrics.jsonl").open()]
    assert {line["step"] + 1 for line in lines if MEASURE in line} == due and len(seen) == len(due)
