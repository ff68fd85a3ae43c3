"""Pre-training on pairs of texts by the million: time and memory from files to the first step, and the stream's rate.

Generated pairs, a query of 8 words and a passage of 16 on average, as Parquet files; a quarter of them and all are
prepared, tokenised and trained on for some steps by an encoder of MiniLM's size (6 layers of 384). What is timed of a
training: how long after its process starts the first step begins, its rate, and that of its stream alone, batches put
together as a step reads them. Activations are held for 1,024 tokens at once, so that memory is the pairs'; what the
training holds of its own is also said without the pages of memory-mapped files, which a system takes back. Prints a
line for each figure: name, value, goal, ok or short. Wants a quiet machine.
"""

import argparse
import json
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from math import log
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

from benchmarks import ours
from benchmarks.common import say
from benchmarks.prepare import texts

WORDS = {"query": 8, "passage": 16}
FILE = 5_000_000  # pairs of each
LEARNED = 20_000  # passages that the vocabulary is learned from
LENGTHS = {"query_length": 24, "passage_length": 48}
SHAPE = {"layers": 6, "hidden": 384, "heads": 12, "vocabulary": 30_522}
WATCHED = 60  # seconds of a training whose memory is looked at
BEGUN = "rows a step"  # what a training says before its first
MEMORY, START, STREAM, EXPONENT = 2048, 5, 20, 1.1  # goals: MB, seconds, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=50_000_000)
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "pairs")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    most, steps, shape = (4000, 2, ours.TINY) if options.smoke else (options.pairs, 30, SHAPE)
    took = []
    for pairs in (most // 4, most):
        project = ours.project(
            options.work / str(pairs), study(options.work, pairs, shape, steps, options.smoke), chunk=1024
        )
        project.make(ours.model("pairs"))
        tokens = str(project.tokens("pairs").relative_to(project.folder))
        made = {"prepare": ours.dataset("pairs"), "tokenise": tokens, "train": ours.model("pairs")}
        made = {name: project.record(target) for name, target in made.items()}
        took.append(made["prepare"].seconds + made["tokenise"].seconds)
        shown = ", ".join(f"{name} {of.seconds:.1f} s and {of.mb} MB" for name, of in made.items())
        print(f"{pairs:,} pairs: {shown}", flush=True)
    memory, trained = max(of.mb for of in made.values()), made["train"]
    say("peak memory of preparing, tokenising, training", memory, MEMORY, "MB", most=True)
    say("exponent of the number of pairs", log(took[1] / took[0]) / log(4), EXPONENT, most=True)
    seconds, own = begun(project)
    say("from the process's start to the first step", seconds, START, "s", most=True)
    say("memory of the training, without files that are mapped", own, MEMORY, "MB", most=True)
    rate = trained.settings["steps"] * trained.settings["batch_size"] / trained.facts["training_seconds"]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        alone = process.submit(stream, project, trained.settings).result()
    print(f"training {rate:.0f} pairs/s, its stream alone {alone:.0f}", flush=True)
    say("the stream alone against training", alone / rate, STREAM, "x")


def study(folder: Path, pairs: int, shape: dict, steps: int, smoke: bool) -> dict:
    text = folder / "text.txt"
    return {
        "datasets": {
            "pairs": {"source": "pairs", "pairs": {"train": {"files": generated(folder, pairs)}}},
            "text": {"source": "text", "files": [learned(text)]},
        },
        "models": {
            "bert": {"recipe": "mlm", "from": "scratch", "data": "text", "architecture": shape, "steps": 1},
            "pairs": {
                "recipe": "pairs",
                "from": "bert",
                "data": "pairs",
                "steps": steps,
                "batch_size": 16 if smoke else 256,
                **LENGTHS,
            },
        },
    }


def generated(folder: Path, pairs: int) -> list[str]:
    """The files of so many pairs; fewer are the first of more."""
    files = []
    for first in range(0, pairs, FILE):
        count = min(FILE, pairs - first)
        path = folder / f"pairs-{first}-{count}.parquet"
        files.append(str(path.resolve()))
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            random = np.random.default_rng(first)
            with pq.ParquetWriter(path, pa.schema(dict.fromkeys(WORDS, pa.string())), compression="zstd") as file:
                columns = (texts(random, count, words) for words in WORDS.values())
                for block in zip(*columns, strict=True):
                    file.write_table(pa.table(dict(zip(WORDS, block, strict=True))))
    return files


def learned(path: Path) -> str:
    """A file of text of the same words."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = texts(np.random.default_rng(1), LEARNED, WORDS["passage"])
        path.write_text("\n\n".join(text for block in blocks for text in block.to_pylist()) + "\n")
    return str(path.resolve())


def begun(project: ours.Project) -> tuple[float, float]:
    """(seconds from the start of a training's process to its first step, most MB that it holds of its own in the next
    `WATCHED` seconds); then it is stopped."""
    target = ours.model("pairs")
    command = project.job(target)[1]
    named = project.path(shlex.split(command)[2])
    log_file = named.with_name(f".{named.name}")  # of all attempts
    project.path(target).unlink()
    before = log_file.read_text().count(BEGUN)
    began = time.perf_counter()
    notes = project.path("results/.notes").absolute()  # where hashes are remembered, as Snakemake tells its jobs
    asked = ours.environment() | {"DEWPOINT_REUSE": "no", "DEWPOINT_NOTES": str(notes)}
    process = subprocess.Popen(["bash", "-c", command], cwd=project.folder, env=asked, start_new_session=True)
    while process.poll() is None and log_file.read_text().count(BEGUN) == before:
        time.sleep(0.02)
    seconds, own = time.perf_counter() - began, 0
    if process.poll():
        sys.exit(log_file.read_text())
    while process.poll() is None and time.perf_counter() < began + seconds + WATCHED:
        own = max([own, *map(own_bytes, family(process.pid))])
        time.sleep(0.2)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    return seconds, own / 2**20


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it has started."""
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    return []


def own_bytes(process: psutil.Process) -> int:
    """What a process holds and no file has."""
    with suppress(psutil.NoSuchProcess):
        held = process.memory_info()
        return held.rss - held.shared
    return 0


def stream(project: ours.Project, settings: dict) -> float:
    """Pairs a second, of batches as a step reads them."""
    from dewpoint.data.tokenizer import load_tokenizer
    from dewpoint.data.tokens import TokenStore
    from dewpoint.models.backbone import load_encoder
    from dewpoint.models.encoder import Encoder, Retriever
    from dewpoint.program import namespace
    from dewpoint.training.chunks import Room
    from dewpoint.training.pairs import stream_of
    from dewpoint.training.ranking import Reading, Rows
    from dewpoint.training.sides import Sides

    store, wanted = TokenStore(project.tokens("pairs")), namespace(json.dumps(settings))
    folder = project.path(ours.model("bert")).parent
    words = load_tokenizer(folder)
    reading = Reading(wanted, Retriever(Encoder(load_encoder(folder))), (store, store), (words, words), ([], []))
    given = SimpleNamespace(dataset=project.path(ours.dataset("pairs")), negatives=None)
    made = stream_of(wanted, given, reading)
    rows = Rows(made, Sides(store.special, store.special, False), Room(4096, 4096), wanted.seed)
    rows.batch(0)
    began, steps = time.perf_counter(), 0
    while steps < 20 or time.perf_counter() - began < 3:
        steps += 1
        rows.batch(steps)
    return steps * wanted.batch_size / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
