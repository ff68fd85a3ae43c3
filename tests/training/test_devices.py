"""One device equals many: the same weights and losses from one process and from two that share every batch."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dewpoint import lease, program
from dewpoint.program import launch
from dewpoint.rankers import bm25
from dewpoint.recipes import mlm, released, retriever
from programs import arguments, command, shell
from training.conftest import ASKED, DISTILLED, development, read_by, settings, taught_by, taught_in_batches, watched_by

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


UNTIED = {"query_source": "study", "projection": {"size": 6, "norm": True}, "pooling": "mean", "normalize": True}
CANDIDATES = {"metric": "nDCG@10", "reranks": True}


RECIPES = ["mlm", "cocondenser", "crossencoder", "monot5", "pairs", "retriever", "colbert"]
WAYS = [
    *RECIPES[:-1],
    "inverse cloze pairs",
    "untied retriever",
    "untied retriever of candidates",
    "distilled retriever",
    "untied nested retriever",
    "taught colbert",
]


@pytest.mark.parametrize("way", WAYS)
def test_one_process_equals_two(world, bert, t5, trained, tmp_path, way):
    """Dropout on, rows of uneven lengths, several chunks, a last batch that is short and odd, checkpoints."""
    recipe, untied = next(word for word in way.split() if word in RECIPES), way.startswith("untied")
    values = settings(source="study", steps=8, epochs=1, spans_of="passage", batch_size=7, learning_rate=1e-2)
    values |= {"loss": {"name": "binary"}} if recipe == "crossencoder" else {}  # which minds how high scores are
    measured = development(depth=5, **CANDIDATES if "candidates" in way else {})
    values |= UNTIED | {"development": measured, "epochs": 2} if untied else {}
    values |= {"sizes": [6, 3]} if "nested" in way else {}
    values |= DISTILLED if way.startswith("distilled") else {}
    taught = {"loss": DISTILLED["loss"], "augmented": True, "development": measured | {"keep": "last"}}
    values |= taught if way.startswith("taught") else {}
    watched = {"development": [world.run]} if values["development"] else {}
    files = read_by(world, recipe, bert, **watched | ({"queries_parent": bert} if untied else {}))
    files |= taught_by(world) if way.startswith("distilled") else {}
    files |= taught_in_batches(world, trained("colbert", "in-batch-teacher", bert)) if way.startswith("taught") else {}
    if way.startswith("inverse"):
        values |= {"task": "ict", "negatives_per_query": 0, "development": development(split="train", depth=5)}
        files |= watched_by(world) | {"negatives": None}
    if way == "monot5":
        values |= ASKED | {"source": t5.source, "batches": {"name": "random"}}
        files |= t5.files | {"parent": None}
    one, two = (tmp_path / name / "manifest.json" for name in ("one", "two"))
    alone = shell(f"recipes.{recipe} work", one, values, **files, chunk=70, checkpoint=2)
    assert alone.returncode == 0, alone.stderr
    words = arguments(two, values, **files, chunk=70, checkpoint=2)
    several = [*TORCHRUN, *command(f"recipes.{recipe} work"), *words]
    together = subprocess.run(several, capture_output=True, text=True)
    assert together.returncode == 0, together.stderr[-3000:]
    said = [re.search(r"(\d+) rows a step, by (\w+) process", done.stderr) for done in (alone, together)]
    assert said[0][1] == said[1][1] and (said[0][2], said[1][2]) == ("one", "2")
    assert json.loads(two.read_text())["facts"]["devices"] == 2

    started = Path(t5.source) if way == "monot5" else bert.parent
    before, mine, theirs = (weights(folder) for folder in (started, one.parent, two.parent))
    assert any(name.startswith("query/3_LayerNorm") for name in mine) == untied
    assert max(float((mine[name] - before[name]).abs().max()) for name in before if name in mine) > 1e-2
    for name, tensor in mine.items():
        if not name.endswith("key.bias"):  # moves all scores of a row alike: Adam scales up its gradient, rounding
            torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=1e-5, msg=name)
    lines = [[json.loads(line) for line in path.with_name("metrics.jsonl").open()] for path in (one, two)]
    for mine, theirs in zip(*lines, strict=True):
        assert theirs == pytest.approx(mine, rel=1e-4, abs=1e-5)
    assert sorted(path.name for path in one.parent.iterdir()) == sorted(path.name for path in two.parent.iterdir())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Of all files in a model's folder; the root's own keep their names."""
    found = {}
    for path in folder.rglob("*.safetensors"):
        place = path.relative_to(folder).parent.as_posix()
        found |= {f"{place}/{name}".removeprefix("./"): tensor for name, tensor in load_file(path).items()}
    return {name.removeprefix("bert."): tensor for name, tensor in found.items()}


def test_a_mistake_is_said_once(world, bert, tmp_path):
    files = read_by(world, "condenser", bert, chunk=0, checkpoint=9)
    words = arguments(tmp_path / "x" / "manifest.json", settings(source="study", early_layers=2), **files)
    several = [*TORCHRUN, *command("recipes.condenser work"), *words]
    done = subprocess.run(several, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.count("error: early_layers: 2 of 2 layers leave none after the split") == 1
    assert not list((tmp_path / "x").glob(".partial*"))


@pytest.mark.parametrize(("visible", "processes"), [("0,1,2", 3), ("4", None), ("", None), (None, None)])
@pytest.mark.parametrize("work", [mlm.work, retriever.work])
def test_a_training_starts_once_for_each_gpu_that_it_was_given(monkeypatch, visible, processes, work):
    started, called = [], ["scripts/work.py", "recipes.some", "work", "--output", "x"]
    monkeypatch.setattr(os, "execv", lambda path, words: started.append(words))
    monkeypatch.setattr(sys, "argv", called)
    monkeypatch.delenv("RANK", raising=False)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    launch(work, [])
    assert [words[-6:] for words in started] == ([[f"--nproc-per-node={processes}", *called]] if processes else [])
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    launch(work, [])
    assert len(started) == (1 if processes else 0)


def test_a_training_takes_the_gpus_that_it_asks_for(monkeypatch, tmp_path):
    """Where nothing names any: two of three, of which another program holds the first."""
    started = []
    monkeypatch.setattr(os, "execv", lambda path, words: started.append(words))
    monkeypatch.setattr(lease, "count_gpus", lambda: 3)
    monkeypatch.setattr(program, "count_gpus", lambda: 3)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.delenv("RANK", raising=False)
    _, other = lease.take_device("0")
    launch(mlm.work, ["--gpus", "2", "--output", "x"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,2" and "--nproc-per-node=2" in started[0]
    other.close()


def test_a_training_of_several_nodes_starts_itself_on_each(monkeypatch):
    started = []
    monkeypatch.setattr(os, "execvp", lambda path, words: started.append(words))
    monkeypatch.setattr(os, "execv", lambda path, words: None)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "50017")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    launch(mlm.work, ["--gpus", "2", "--nodes", "3", "--threads", "4"])
    assert started[0][:4] == ["srun", "--nodes=3", "--ntasks=3", "--cpus-per-task=4"]
    assert "--nproc-per-node=2 --nnodes=3" in " ".join(started[0]) and "--master-port=30017" in " ".join(started[0])


@pytest.mark.parametrize("work", [bm25.index, bm25.rank, released.work])
def test_what_is_no_training_starts_once(monkeypatch, work):
    started = []
    monkeypatch.setattr(os, "execv", lambda path, words: started.append(words))
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    launch(work, [])
    assert not started
