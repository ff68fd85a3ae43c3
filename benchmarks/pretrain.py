"""How fast pre-training is, and in how much memory: against a plain implementation, on one text, in one run.

Prints a line for each figure: name, value, goal, ok or short. Wants a quiet machine.
"""

import argparse
import multiprocessing
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

import numpy as np
import torch
from dewpoint.training.losses import span_loss

from benchmarks import plain
from benchmarks.common import program, say
from dewpoint.data.dataset import Dataset
from dewpoint.data.masking import WordMasker, continuations
from dewpoint.data.streams import Blocks, SpanPairs, join
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.models import dropout
from dewpoint.models.backbone import from_scratch
from dewpoint.models.condenser import Condenser
from dewpoint.training.chunks import Batch, batch, chunks
from dewpoint.training.loop import parameter_groups
from dewpoint.training.pretraining import Objective

SHAPE = {"family": "bert", "layers": 6, "hidden": 384, "heads": 12, "intermediate": 1536, "positions": 512}
SHAPE |= {"dropout": 0.1}
VOCABULARY, LENGTH, ROWS = 30_522, 128, 32
CHUNK = ROWS * LENGTH
EARLY, HEAD = 3, 2
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", nargs="*", help="text files (.txt, .jsonl, .gz, .zst); docstrings when left out")
    parser.add_argument("--field", default="text", help="field of a JSON line with the text")
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks", help="where prepared text is kept")
    parser.add_argument("--only", nargs="*", default=["condenser", "cocondenser", "memory"])
    options = parser.parse_args()
    world = prepared(options)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
    if "condenser" in options.only:
        made = [masked(world, training_stream(world, "condenser"), step) for step in range(ROUNDS)]
        share = sum(one.tokens for one in made) / sum(one.rows * LENGTH for one in made)
        print(f"Condenser, 96 blocks a step in chunks of {ROWS}; {share:.0%} of the padded rows are tokens", flush=True)
        rates = race("condenser", options)
        say("condenser, bfloat16 against float32", rates["ours bfloat16"] / rates["plain float32"], 4.5, "x")
        stream(world, rates["ours bfloat16"])
    if "cocondenser" in options.only:
        print(f"coCondenser, 96 spans a step, gradient cache in chunks of {ROWS}", flush=True)
        race("cocondenser", options)
    if "memory" in options.only:
        memory(world, options.work)


def prepared(options) -> SimpleNamespace:
    """The text as a dataset, with a tokenizer of its own, by the project's programs; made once."""
    work = options.work
    source = {"source": "pydocs", "packages": ["stdlib", "numpy", "pandas"]}
    if options.text:
        source = {"source": "text", "files": options.text, "text": options.field}
    paths = {name: work / name / "manifest.json" for name in ("dataset", "tokenizer", "tokens")}
    learned = {"family": "bert", "vocabulary": VOCABULARY}
    program("prepare", paths["dataset"], source, study="benchmark")
    program("tokenizer", paths["tokenizer"], learned, dataset=paths["dataset"])
    program("tokenize_texts", paths["tokens"], {}, dataset=paths["dataset"], tokenizer=paths["tokenizer"])
    store = TokenStore(paths["tokens"])
    documents = join(store.column("corpus"), store.sentences(), Dataset(paths["dataset"]).documents())
    masker = WordMasker(store.special, continuations(load_tokenizer(paths["tokenizer"].parent)))
    return SimpleNamespace(**paths, store=store, documents=documents, masker=masker)


def model(world) -> Condenser:
    torch.manual_seed(0)
    language_model = from_scratch(SimpleNamespace(**SHAPE), world.store.vocabulary, world.store.special["pad"])
    return Condenser(language_model, EARLY, HEAD)


def plain_model(world) -> plain.PlainCondenser:
    """The same weights in transformers' own layers, with its own dropout."""
    made = model(world)
    return plain.PlainCondenser(made.language_model, made.head, EARLY)


def padded(made: Batch, world) -> tuple[torch.Tensor, ...]:
    """The same rows for the plain implementation: (ids, mask, labels), every row of full length."""
    ids = torch.full((made.rows, LENGTH), world.store.special["pad"])
    labels = torch.full((made.rows, LENGTH), plain.IGNORED)
    for part in made.chunks:
        width = part.ids.shape[1]
        ids[part.rows, :width] = part.ids
        wanted = torch.full_like(part.ids, plain.IGNORED).flatten()
        wanted[part.at] = part.targets
        labels[part.rows, :width] = wanted.view_as(part.ids)
    return ids, (ids != world.store.special["pad"]).long(), labels


class Runner:
    """An implementation in a process of its own, so that none profits from what another set up."""

    def __init__(self, kind: str, ours: bool, precision: str, options):
        near, far = multiprocessing.get_context("spawn").Pipe()
        self.pipe, self.rates = near, []
        self.process = multiprocessing.get_context("spawn").Process(
            target=work, args=(far, kind, ours, precision, options), daemon=True
        )
        self.process.start()
        self.pipe.recv()

    def step(self, number: int) -> None:
        self.pipe.send(number)
        tokens, seconds = self.pipe.recv()
        if number:  # the first one warms up
            self.rates.append(tokens / seconds)


def work(pipe, kind: str, ours: bool, precision: str, options) -> None:
    """Train on the batches whose numbers come through the pipe; send back how many tokens it took how long."""
    world = prepared(options)
    stream = training_stream(world, kind)
    if ours:
        network = model(world)
        dropout.install(network, network.language_model)
        step = Objective(network, SimpleNamespace(precision=precision), span_loss if kind == "cocondenser" else None)
        optimizer = torch.optim.AdamW(parameter_groups(network, 0.01), 1e-4, fused=True)
    else:
        network = plain_model(world)
        low = partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bfloat16")
        rival = {"condenser": plain.accumulated_condenser_step, "cocondenser": plain.cached_cocondenser_step}[kind]
        step = lambda rows: rival(network, rows, ROWS, low)  # noqa: E731
        optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    network.train()
    pipe.send("ready")
    while True:
        made = masked(world, stream, pipe.recv())
        rows = made if ours else padded(made, world)
        began = time.perf_counter()
        step(rows)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        pipe.send((made.tokens, time.perf_counter() - began))


def race(kind: str, options) -> dict[str, float]:
    """Median tokens/s of the plain implementation and of ours, in both precisions, taking turns on the same batches."""
    names = [(who, precision) for precision in ("float32", "bfloat16") for who in ("plain", "ours")]
    runners = {f"{who} {precision}": Runner(kind, who == "ours", precision, options) for who, precision in names}
    for number in range(ROUNDS + 1):
        for runner in runners.values():
            runner.step(number)
    medians = {name: statistics.median(runner.rates) for name, runner in runners.items()}
    for name, rate in medians.items():
        low, high = min(runners[name].rates), max(runners[name].rates)
        print(f"  {name}: {rate:,.0f} tokens/s ({low:,.0f} to {high:,.0f})", flush=True)
        runners[name].process.kill()
    for precision in ("bfloat16", "float32"):
        say(
            f"{kind}, same precision ({precision})",
            medians[f"ours {precision}"] / medians[f"plain {precision}"],
            3,
            "x",
        )
    return medians


def training_stream(world, kind: str) -> Blocks | SpanPairs:
    everything = np.arange(len(world.documents.tokens))
    stream, size = {"condenser": (Blocks, 96), "cocondenser": (SpanPairs, 48)}[kind]
    return stream(world.documents, everything, LENGTH, size, seed=1)


def masked(world, stream, step: int) -> Batch:
    texts = stream.batch(step)
    return batch(len(texts[0].counts), chunks(texts, world.store.special, CHUNK, 1, step, masker=world.masker), CHUNK)


def stream(world, rate: float) -> None:
    """Packing, masking and assembling on one core, without any model."""
    everything = np.arange(len(world.documents.tokens))
    blocks = Blocks(world.documents, everything, LENGTH, 256, seed=1)
    masked(world, blocks, 0)
    began, tokens, step = time.process_time(), 0, 1
    while time.process_time() - began < 5:
        tokens += masked(world, blocks, step).tokens
        step += 1
    alone = tokens / (time.process_time() - began)
    print(f"stream alone: {alone:,.0f} tokens/s on one core", flush=True)
    say("stream against training", alone / rate, 20, "x")


def memory(world, work: Path) -> None:
    """Peak memory of the program itself, at 128 and at 2,048 spans a step, after as many spans."""
    settings = {"architecture": SHAPE, "source": "scratch", "seed": 1, "precision": "auto"}
    settings |= {"length": LENGTH, "learning_rate": 1e-4, "warmup": 0.1, "weight_decay": 0.01, "clip": 1.0}
    settings |= {"early_layers": EARLY, "head_layers": HEAD, "late_mlm": True, "mlm": True, "temperature": 1.0}
    settings |= {"spans_of": "document", "held_out": 0.0, "measurements": 0}
    peaks = {}
    for spans in (128, 2048):
        output = work / f"spans-{spans}" / "manifest.json"
        output.unlink(missing_ok=True)
        files = {"dataset": world.dataset, "tokens": world.tokens, "tokenizer": world.tokenizer}
        limits = {"parent": [], "chunk": CHUNK, "checkpoint": 1000}
        size = {"batch_size": spans // 2, "steps": 2 * 2048 // spans}
        record = program("cocondenser", output, settings | size, **files, **limits)
        peaks[spans] = record["run"]["peak_memory_mb"]
        print(f"coCondenser, {spans} spans a step: {peaks[spans]:,} MB", flush=True)
    say("memory, 2,048 spans against 128", peaks[2048] / peaks[128], 1.15, "x", most=True)


if __name__ == "__main__":
    main()
