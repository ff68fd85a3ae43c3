"""One device equals many: the same weights and losses from one process and from two that share every batch."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from dewpoint.training import devices
from programs import SCRIPTS, arguments, shell
from training.conftest import of_a_retriever, settings

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.parametrize("recipe", ["mlm", "cocondenser", "retriever"])
def test_one_process_equals_two(world, bert, tmp_path, recipe):
    """Dropout on, rows of uneven lengths, several chunks, a last batch that is short and odd, checkpoints."""
    values = settings(source="study", steps=8, epochs=1, spans_of="passage", batch_size=7, learning_rate=1e-2)
    files = {name: getattr(world, name) for name in ("dataset", "tokens", "tokenizer")} | {"parent": bert}
    files |= of_a_retriever(world) if recipe == "retriever" else {}
    one, two = (tmp_path / name / "manifest.json" for name in ("one", "two"))
    alone = shell(recipe, one, values, **files, chunk=70, checkpoint=2)
    assert alone.returncode == 0, alone.stderr
    words = arguments(two, values, **files, chunk=70, checkpoint=2)
    together = subprocess.run(
        [*TORCHRUN, SCRIPTS / f"{recipe}.py", *words], capture_output=True, text=True, env=quiet()
    )
    assert together.returncode == 0, together.stderr[-3000:]
    assert "by 2 processes on cpu" in together.stderr and "by one process on cpu" in alone.stderr
    assert json.loads(two.read_text())["facts"]["devices"] == 2

    start, mine, theirs = (load_file(path.with_name("model.safetensors")) for path in (bert, one, two))
    before = {name.removeprefix("bert."): tensor for name, tensor in start.items()}
    assert max(float((mine[name] - before[name.removeprefix("bert.")]).abs().max()) for name in mine) > 1e-2
    for name, tensor in mine.items():
        if not name.endswith(
            "key.bias"
        ):  # it moves all scores of a row alike: its gradient is rounding, which Adam scales up
            torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=1e-5, msg=name)
    lines = [[json.loads(line) for line in path.with_name("metrics.jsonl").open()] for path in (one, two)]
    for mine, theirs in zip(*lines, strict=True):
        assert theirs == pytest.approx(mine, rel=1e-4, abs=1e-5)
    assert sorted(path.name for path in one.parent.iterdir()) == sorted(path.name for path in two.parent.iterdir())


def quiet() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def test_a_mistake_is_said_once(world, bert, tmp_path):
    files = {name: getattr(world, name) for name in ("dataset", "tokens", "tokenizer")} | {"parent": bert}
    words = arguments(tmp_path / "x" / "manifest.json", settings(source="study", early_layers=2), **files)
    command = [*TORCHRUN, SCRIPTS / "condenser.py", *words, "--chunk", "0", "--checkpoint", "9"]
    done = subprocess.run(command, capture_output=True, text=True, env=quiet())
    assert done.returncode != 0
    assert done.stderr.count("error: early_layers: 2 of 2 layers leave none after the split") == 1
    assert not list((tmp_path / "x").glob(".partial*"))


@pytest.mark.parametrize(("visible", "processes"), [("0,1,2", 3), ("4", None), ("", None), (None, None)])
def test_a_program_starts_once_for_each_gpu_that_it_was_given(monkeypatch, visible, processes):
    started = []
    monkeypatch.setattr(os, "execv", lambda path, words: started.append(words))
    monkeypatch.setattr(sys, "argv", ["scripts/mlm.py", "--output", "x"])
    monkeypatch.delenv("RANK", raising=False)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    devices.launch()
    assert [words[-4:] for words in started] == (
        [[f"--nproc-per-node={processes}", "scripts/mlm.py", "--output", "x"]] if processes else []
    )
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    devices.launch()
    assert len(started) == (1 if processes else 0)
