"""How fast pre-training is, and in how much memory: against a plain implementation, on one text, in one run.

Prints a line for each figure: name, value, goal, ok or short. Wants a quiet machine.
"""

import argparse
import multiprocessing
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

import numpy as np
import torch

from benchmarks import ours, plain
from benchmarks.common import say
from dewpoint.data.dataset import Dataset
from dewpoint.data.masking import WordMasker, continuations
from dewpoint.data.streams import Blocks, SpanPairs, join
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.losses import contrast
from dewpoint.models import dropout
from dewpoint.models.backbone import from_scratch
from dewpoint.models.condenser import Condenser
from dewpoint.training.chunks import Batch, batch, chunks
from dewpoint.training.loop import parameter_groups
from dewpoint.training.pretraining import Objective, Spans

HEAD = 2  # layers


@dataclass(frozen=True)
class Size:
    """Of the model, of what a step trains on, and of the measuring."""

    shape: dict
    early: int
    length: int  # tokens of a row
    rows: int  # of a chunk
    blocks: int  # of a step, Condenser
    spans: tuple[int, int]  # of a step, few and many
    rounds: int
    seconds: int  # that the stream is measured

    @property
    def chunk(self) -> int:
        return self.rows * self.length


FULL = Size(
    {"layers": 6, "hidden": 384, "heads": 12, "intermediate": 1536, "vocabulary": 30_522},
    3,
    128,
    32,
    96,
    (128, 2048),
    5,
    5,
)
SMOKE = Size({"layers": 2, "hidden": 32, "heads": 2, "vocabulary": 500}, 1, 32, 8, 16, (16, 32), 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", nargs="*", help="text files (.txt, .jsonl, .gz, .zst); docstrings when left out")
    parser.add_argument("--field", default="text", help="field of a JSON line with the text")
    parser.add_argument(
        "--work", type=Path, default=HOME / "data" / "benchmarks" / "pretrain", help="where files are kept"
    )
    parser.add_argument("--only", nargs="*", default=["condenser", "cocondenser", "memory"])
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    size = SMOKE if options.smoke else FULL
    project = prepared(options, size)
    world = opened(project, size)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
    if "condenser" in options.only:
        made = [masked(world, training_stream(world, "condenser"), step) for step in range(size.rounds)]
        share = sum(one.tokens for one in made) / sum(one.rows * size.length for one in made)
        step = f"{size.blocks} blocks a step in chunks of {size.rows}"
        print(f"Condenser, {step}; {share:.0%} of the padded rows are tokens", flush=True)
        rates = race("condenser", project, size)
        say("condenser, bfloat16 against float32", rates["ours bfloat16"] / rates["plain float32"], 4.5, "x")
        stream(world, rates["ours bfloat16"])
    if "cocondenser" in options.only:
        print(f"coCondenser, {size.blocks} spans a step, gradient cache in chunks of {size.rows}", flush=True)
        race("cocondenser", project, size)
    if "memory" in options.only:
        memory(project, size)


def prepared(options, size: Size) -> ours.Project:
    """The text as a dataset, with a tokenizer of its own; and two models that differ in the spans of a step."""
    source = {"source": "pydocs", "packages": ["json", "email"] if options.smoke else ["stdlib", "numpy", "pandas"]}
    if options.text:
        files = [str(Path(file).resolve()) for file in options.text]
        source = {"source": "text", "files": files, "text": options.field}
    shared = {"recipe": "cocondenser", "from": "scratch", "data": "text", "architecture": size.shape}
    shared |= {"early_layers": size.early, "head_layers": HEAD, "length": size.length, "held_out": 0, "measurements": 0}
    few, many = size.spans
    models = {
        f"spans-{spans}": shared | {"batch_size": spans // 2, "steps": 2 * many // spans} for spans in (few, many)
    }
    study = {"datasets": {"text": source}, "models": models}
    project = ours.project(options.work / "ours", study, chunk=size.chunk)
    project.make(ours.model(f"spans-{few}"), "--until", "tokenize")
    return project


def opened(project: ours.Project, size: Size) -> SimpleNamespace:
    store, dataset = TokenStore(project.tokens("text")), Dataset(project.path(ours.dataset("text")))
    documents = join(store.column("corpus"), store.sentences(), dataset.documents())
    masker = WordMasker(store.special, continuations(load_tokenizer(project.tokenizer().parent)))
    settings = project.settings(ours.model(f"spans-{size.spans[0]}"))
    return SimpleNamespace(store=store, documents=documents, masker=masker, settings=settings, size=size)


def model(world) -> Condenser:
    torch.manual_seed(0)
    language_model = from_scratch(
        SimpleNamespace(**world.settings["architecture"]), world.store.vocabulary, world.store.special["pad"]
    )
    return Condenser(language_model, world.size.early, HEAD)


def plain_model(world) -> plain.PlainCondenser:
    """The same weights in transformers' own layers, with its own dropout."""
    made = model(world)
    return plain.PlainCondenser(made.language_model, made.head, world.size.early)


def padded(made: Batch, world) -> tuple[torch.Tensor, ...]:
    """The same rows for the plain implementation: (ids, mask, labels), every row of full length."""
    ids = torch.full((made.rows, world.size.length), world.store.special["pad"])
    labels = torch.full((made.rows, world.size.length), plain.IGNORED)
    for part in made.chunks:
        width = part.ids.shape[1]
        ids[part.rows, :width] = part.ids
        wanted = torch.full_like(part.ids, plain.IGNORED).flatten()
        wanted[part.at] = part.targets
        labels[part.rows, :width] = wanted.view_as(part.ids)
    return ids, (ids != world.store.special["pad"]).long(), labels


class Runner:
    """An implementation in a process of its own, so that none profits from what another set up."""

    def __init__(self, kind: str, own: bool, precision: str, project: ours.Project, size: Size):
        near, far = multiprocessing.get_context("spawn").Pipe()
        self.pipe, self.rates = near, []
        self.process = multiprocessing.get_context("spawn").Process(
            target=work, args=(far, kind, own, precision, project, size), daemon=True
        )
        self.process.start()
        self.pipe.recv()

    def step(self, number: int) -> None:
        self.pipe.send(number)
        tokens, seconds = self.pipe.recv()
        if number:  # the first one warms up
            self.rates.append(tokens / seconds)


def work(pipe, kind: str, own: bool, precision: str, project: ours.Project, size: Size) -> None:
    """Train on the batches whose numbers come through the pipe; send back how many tokens it took how long."""
    world = opened(project, size)
    stream = training_stream(world, kind)
    if own:
        network = model(world)
        dropout.install(network, network.language_model)
        step = Objective(
            network,
            SimpleNamespace(**world.settings | {"precision": precision}),
            Spans(contrast.work, SimpleNamespace(temperature=1.0)) if kind == "cocondenser" else None,
        )
        optimizer = torch.optim.AdamW(parameter_groups(network, 0.01), 1e-4, fused=True)
    else:
        network = plain_model(world)
        low = partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bfloat16")
        rival = {"condenser": plain.accumulated_condenser_step, "cocondenser": plain.cached_cocondenser_step}[kind]
        step = lambda rows: rival(network, rows, size.rows, low)  # noqa: E731
        optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    network.train()
    pipe.send("ready")
    while True:
        made = masked(world, stream, pipe.recv())
        rows = made if own else padded(made, world)
        began = time.perf_counter()
        step(rows)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        pipe.send((made.tokens, time.perf_counter() - began))


def race(kind: str, project: ours.Project, size: Size) -> dict[str, float]:
    """Median tokens/s of the plain implementation and of ours, in both precisions, taking turns on the same batches."""
    names = [(who, precision) for precision in ("float32", "bfloat16") for who in ("plain", "ours")]
    runners = {f"{who} {precision}": Runner(kind, who == "ours", precision, project, size) for who, precision in names}
    for number in range(size.rounds + 1):
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
    stream, size = {
        "condenser": (Blocks, world.size.blocks),
        "cocondenser": (SpanPairs, world.size.blocks // 2),
    }[kind]
    return stream(world.documents, everything, world.size.length, size, seed=1)


def masked(world, stream, step: int) -> Batch:
    texts = stream.batch(step)
    chunk = world.size.chunk
    return batch(len(texts[0].counts), chunks(texts, world.store.special, chunk, 1, step, masker=world.masker), chunk)


def stream(world, rate: float) -> None:
    """Packing, masking and assembling on one core, without any model."""
    everything = np.arange(len(world.documents.tokens))
    blocks = Blocks(world.documents, everything, world.size.length, 256, seed=1)
    masked(world, blocks, 0)
    began, tokens, step = time.process_time(), 0, 1
    while time.process_time() - began < world.size.seconds:
        tokens += masked(world, blocks, step).tokens
        step += 1
    alone = tokens / (time.process_time() - began)
    print(f"stream alone: {alone:,.0f} tokens/s on one core", flush=True)
    say("stream against training", alone / rate, 20, "x")


def memory(project: ours.Project, size: Size) -> None:
    """Peak memory of the program itself, at few and at many spans a step, after as many spans."""
    peaks = {}
    for spans in size.spans:
        peaks[spans] = project.made(ours.model(f"spans-{spans}"), again=True).mb
        print(f"coCondenser, {spans} spans a step: {peaks[spans]:,} MB", flush=True)
    few, many = size.spans
    say(f"memory, {many:,} spans against {few:,}", peaks[many] / peaks[few], 1.15, "x", most=True)


if __name__ == "__main__":
    main()
