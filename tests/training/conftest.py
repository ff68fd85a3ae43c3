"""A tiny dataset, its tokens and its negatives, for programs that train."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.negatives import write_negatives
from dewpoint.data.runs import ranked, write_run
from dewpoint.data.tokenizer import load_tokenizer, train_wordpiece
from dewpoint.data.tokens import write_tokens
from dewpoint.program import namespace
from dewpoint.recipes import crossencoder, monot5, pairs
from dewpoint.recipes._encoding import Encoded
from dewpoint.study.kind import work_of
from dewpoint.training.given import InBatchTeacher, Pace, Side, Text, Watched
from models.families import words

SIDES = ("passages", "queries")
SIDED = ("retriever", "colbert", "pairs")  # recipes that have them
SCORING = {"crossencoder": crossencoder, "monot5": monot5}  # what reads a query and a passage together
ASKED = {"loss": {"name": "binary"}, "title": "prefix", "vocabulary": True, "passage_length": 40}  # of a mono-T5
WORDS = ["dew", "air", "water", "cold", "warm", "glass", "grass", "cloud", "vapour", "night", "stone", "leaf", "river"]


def sentence(random: np.random.Generator, words: int) -> str:
    return " ".join(random.choice(WORDS, words))


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> SimpleNamespace:
    """Manifests of a dataset of 40 passages in 8 documents and 20 training queries, all made on the spot."""
    root, random = tmp_path_factory.mktemp("world"), np.random.default_rng(7)
    artifact = Artifact(root / "data" / "manifest.json")
    writer = DatasetWriter(artifact)
    texts = [sentence(random, 8 + row % 30) for row in range(40)]
    texts = [text.replace(" ", ". ", 1) if row % 4 else text for row, text in enumerate(texts)]  # of two sentences
    for row, text in enumerate(texts):
        writer.passage("", f"p{row}", text, sentence(random, row % 3), f"d{row % 8}")
    for row in range(20):
        writer.query("", "train", f"q{row}", " ".join(texts[2 * row].split()[: 3 + row % 5]))
        writer.judgement("", "train", f"q{row}", f"p{2 * row}")
    writer.finish()
    artifact.seal()
    dataset = Dataset(artifact.manifest)

    tokenizer = Artifact(root / "tokenizer" / "manifest.json")
    train_wordpiece(lambda: [texts], 60).save_pretrained(tokenizer.path("."))
    tokenizer.seal()
    tokens = Artifact(root / "tokens" / "manifest.json")
    write_tokens(dataset, load_tokenizer(tokenizer.folder), tokens)
    tokens.seal()

    query, passage = np.repeat(np.arange(20), 40), np.tile(np.arange(40), 20)
    run = ranked(query, passage, random.random(800).astype(np.float32), 30)
    file = Artifact(root / "runs" / "data.train.json")
    write_run(file, run)
    file.seal()
    negatives = Artifact(root / "negatives.json")
    chosen = SimpleNamespace(
        split="train", depth=30, kept=10, without=["judged"], seed=1, skip=0, margin=None, share=None
    )
    write_negatives(negatives, [file.manifest], dataset, chosen)
    negatives.seal()
    teacher = Artifact(root / "runs" / "taught" / "data.train.json")
    write_run(teacher, ranked(query, passage, random.normal(size=800).astype(np.float32), 40))
    teacher.seal()
    clusters = Artifact(root / "clusters" / "manifest.json")
    pq.write_table(pa.table({"cluster": np.arange(20, dtype=np.int32) % 3}), clusters.path("clusters.parquet"))
    clusters.seal()
    paths = {"dataset": artifact, "tokenizer": tokenizer, "tokens": tokens, "negatives": negatives, "run": file}
    paths |= {"teacher": teacher, "clusters": clusters}
    return SimpleNamespace(root=root, **{name: Path(made.manifest) for name, made in paths.items()})


def settings(**changed) -> dict:
    """The settings of any recipe, small; a program takes what it needs."""
    shape = {"layers": 2, "hidden": 16, "heads": 2, "intermediate": None, "positions": 64, "dropout": 0.1}
    architecture = {"family": "bert", **shape}
    return {
        "architecture": architecture,
        "source": "scratch",
        "seed": 3,
        "precision": "float32",
        "threads": 1,
        "steps": 6,
        "epochs": 2,
        "length": 24,
        "batch_size": 6,
        "learning_rate": 1e-3,
        "warmup": 0.1,
        "weight_decay": 0.01,
        "clip": 1.0,
        "early_layers": 1,
        "head_layers": 1,
        "spans_of": "document",
        "late_mlm": True,
        "mlm": True,
        "held_out": 0.2,
        "measurements": 2,
        "loss": {"name": "contrast", "temperature": 1.0},
        "batches": {"name": "random"},
        "split": "train",
        "query_source": None,
        "pooling": None,
        "projection": None,
        "normalize": None,
        "query_prefix": "",
        "passage_prefix": "",
        "title": "pair",
        "negatives_per_query": 2,
        "unscored": "refused",
        "in_batch": True,
        "positives": "rotating",
        "train_queries": None,
        "train_pairs": None,
        "task": "judged",
        "keep": 0.1,
        "development": None,
        "augmented": False,
        "query_length": 12,
        "train_query_length": 12,
        "passage_length": 24,
    } | changed


def development(**changed) -> dict:
    """What a retriever is measured on, small."""
    how = {"metric": "MRR@10", "reranks": False, "measurements": 2, "every": None, "keep": "best", "patience": None}
    return {"split": "train", "queries": 6, "depth": 0, "passages": 9} | how | changed


DISTILLED = {  # what a retriever is told that follows a teacher, and the files that it then reads
    "loss": {"name": "dual", "alpha": 0.75, "teacher_scale": 1.0, "in_batch": {"name": "kl", "temperature": 2.0}},
    "batches": {"name": "tas-balanced", "clusters_per_batch": 2, "draw": "by-size", "bins": 3},
}


def taught_by(world) -> dict[str, Path]:
    return {"teacher": world.teacher, "clusters": world.clusters}


def taught_in_batches(world, model: Path) -> dict[str, Path]:
    """By a model, whose manifest is given."""
    read = {"model": model, "tokens": world.tokens, "query_tokens": world.tokens}
    return {f"in_batch_teacher_{what}": path for what, path in read.items()}


def read_by(world, recipe: str, parent: Path | None = None, **others: Path | list[Path]) -> dict:
    """What a recipe's program reads, by its flags; `others` go before."""
    text = {"tokens": world.tokens, "tokenizer": world.tokenizer, "parent": parent}
    if recipe in SIDED:
        queries = text | {"parent": None}
        text = {f"{side}_{what}": of[what] for side, of in zip(SIDES, (text, queries), strict=True) for what in of}
        text |= {"negatives": world.negatives} | ({} if recipe == "pairs" else {"development": []})
    if recipe in SCORING:
        text |= {"negatives": world.negatives}
    return {"dataset": world.dataset} | text | others


def watched_by(world) -> dict[str, Path | list[Path]]:
    """What pairs are measured on."""
    read = {"dataset": world.dataset, "tokens": world.tokens, "query_tokens": world.tokens, "runs": [world.run]}
    return {f"watched_{what}": path for what, path in read.items()}


def opened(recipe: str, read: dict) -> Text | Encoded:
    """What its work is handed."""
    if recipe not in (*SIDED, *SCORING):
        return Text(**read)
    read = {"teacher": None, "clusters": None} | read
    if recipe in SCORING:
        return SCORING[recipe].Given(**read)
    sides = {side: Side(*(read.pop(f"{side}_{what}") for what in ("tokens", "tokenizer", "parent"))) for side in SIDES}
    if recipe == "pairs":
        watched = [read.pop(f"watched_{what}", None) for what in ("dataset", "tokens", "query_tokens")]
        runs = read.pop("watched_runs", [])
        return pairs.Given(read["dataset"], read["negatives"], **sides, watched=Watched(*watched, runs))
    teacher = InBatchTeacher(
        *(read.pop(f"in_batch_teacher_{what}", None) for what in ("model", "tokens", "query_tokens"))
    )
    return Encoded(**sides, **read, in_batch_teacher=teacher)


@pytest.fixture(scope="session")
def t5(world) -> SimpleNamespace:
    """A tiny T5 that drops, in `source`, and the `files` of its tokenizer and of the world's tokens by it."""
    tokenizer = Artifact(world.root / "t5-tokenizer" / "manifest.json")
    made = words(["Query:", "Document:", "Relevant:", "true", "false", *WORDS])
    made.save_pretrained(tokenizer.path("."))
    tokenizer.seal()
    tokens = Artifact(world.root / "t5-tokens" / "manifest.json")
    write_tokens(Dataset(world.dataset), load_tokenizer(tokenizer.folder), tokens)
    tokens.seal()
    shape = {"d_model": 24, "num_layers": 2, "num_heads": 3, "d_kv": 8, "d_ff": 32, "dropout_rate": 0.1}
    shape |= {"initializer_factor": 0.5}
    ids = {"pad_token_id": made.pad_token_id, "eos_token_id": made.eos_token_id}
    ids |= {"decoder_start_token_id": made.pad_token_id}
    torch.manual_seed(2)
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", vocab_size=len(made), **shape, **ids))
    folder = world.root / "t5"
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return SimpleNamespace(source=str(folder), files={"tokens": tokens.manifest, "tokenizer": tokenizer.manifest})


@pytest.fixture(scope="session")
def trained(world):
    """Trains a recipe in this process and gives the artifact's manifest; `parent` is another such manifest."""

    def train(
        recipe: str,
        name: str,
        parent: Path | None = None,
        chunk: int = 8192,
        checkpoint: int = 1000,
        files: dict[str, Path] | None = None,
        **changed,
    ) -> Path:
        values = settings(**{"source": "study" if parent else "scratch"} | changed)
        artifact = Artifact(world.root / name / "manifest.json", values, "code", [parent] if parent else [])
        read = opened(recipe, read_by(world, recipe, parent, **files or {}))
        try:
            work_of("recipes", recipe)(artifact, namespace(json.dumps(values)), read, Pace(chunk, checkpoint))
            artifact.seal()
        finally:
            artifact.discard()
        return artifact.manifest

    return train


@pytest.fixture(scope="session")
def bert(trained) -> Path:
    return trained("mlm", "bert")
