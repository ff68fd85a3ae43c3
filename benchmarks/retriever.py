"""How fast retrievers are trained, and how good they become: against sentence-transformers' trainer, in one run.

Both fine-tune the same model on the same queries, positives and BM25 negatives, with the same batch, lengths, epochs,
learning rate and precision, each in a process of its own, taking turns; the cached loss for the large batch. Without
--data and --model: docstrings, and a small BERT that has seen them. Then, when `snakemake --cores all --config
study=benchmarks/two-rounds.yaml` has been run, what the two rounds brought.

Prints a line for each figure: name, value, goal, ok or short. Wants a quiet machine.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

import numpy as np
import pandas as pd
import torch

from benchmarks import ours
from benchmarks.common import here, say
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives
from dewpoint.data.tokens import TokenStore
from dewpoint.models.device import precision
from dewpoint.models.folder import read_retriever
from dewpoint.training.proxy import Proxy

LENGTH, TEMPERATURE, WARMUP, DECAY = 64, 0.05, 0.1, 0.01
MINI_BATCH = 32  # the rival's own default
GOALS = {"uncached": 1.5, "cached": 1.8}
RIVAL = ("sentence_transformers", "accelerate", "datasets")


@dataclass(frozen=True)
class Size:
    ways: dict[str, tuple[int, int, float]]  # queries a step, queries in all, learning rate
    seeds: tuple[int, ...]
    packages: tuple[str, ...]  # whose docstrings
    shape: dict  # of the BERT
    steps: int  # of its pre-training


FULL = Size(
    {"uncached": (64, 2048, 2e-5), "cached": (512, 2048, 5e-5)},
    (1, 2, 3),
    ("stdlib", "numpy", "pandas"),
    {"layers": 4, "hidden": 256, "heads": 8, "vocabulary": 8000},
    100,
)
SMOKE = Size(
    {"uncached": (8, 16, 2e-5), "cached": (16, 16, 5e-5)},
    (1,),
    ("json", "email"),
    {"layers": 1, "hidden": 32, "heads": 2, "vocabulary": 500},
    1,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a BEIR folder with a train and a test split")
    parser.add_argument("--model", type=Path, help="the folder of a sentence-transformers model")
    parser.add_argument("--precision", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--only", nargs="*", default=[*GOALS, "rounds"])
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "retriever")
    parser.add_argument("--results", type=Path, default=HOME / "results" / "two-rounds")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    size = SMOKE if options.smoke else FULL
    ways = [way for way in size.ways if way in options.only]
    if ways:
        world = prepared(options, size)
        print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {options.precision}", flush=True)
        rival = here("sentence-transformers' trainer", *RIVAL)
        for way in ways:
            race(way, world, size, options.precision, rival)
    if "rounds" in options.only:
        rounds(options.results)


def name_of(way: str, seed: int) -> str:
    return f"{way}-{seed}"


def prepared(options, size: Size) -> SimpleNamespace:
    """Where data, tokens, BM25 negatives and the model to start from are, all made by the workflow."""
    data = {"source": "pydocs", "packages": list(size.packages)}
    if options.data:
        data = {"source": "beir", "path": str(options.data.resolve())}
    start = options.model.resolve() if options.model else started(options.work / "start", size)
    shared = {
        "recipe": "retriever",
        "from": f"path:{start}",
        "data": "texts",
        "query_length": LENGTH,
        "passage_length": LENGTH,
        "loss": {"name": "contrast", "temperature": TEMPERATURE},
        "negatives": ["bm25"],
        "negatives_depth": 100,
        "negatives_kept": 1,
        "negatives_seed": 1,
        "negatives_per_query": 1,
        "positives": "first",
        "epochs": 1,
        "warmup": WARMUP,
        "weight_decay": DECAY,
    }
    models = {
        name_of(way, seed): shared
        | {"batch_size": batch, "train_queries": queries, "learning_rate": rate, "seed": seed}
        for way, (batch, queries, rate) in size.ways.items()
        for seed in size.seeds
    }
    study = {"datasets": {"texts": data}, "models": models, "rankers": {"bm25": {"kind": "bm25", "depth": 100}}}
    project = ours.project(options.work / "ours", study, precision=options.precision, checkpoint_steps=10_000)
    negatives = project.negatives(next(iter(models)))  # one a query, the same for all
    project.make(negatives)
    dataset = project.path(ours.dataset("texts"))
    return SimpleNamespace(project=project, start=start, dataset=dataset, negatives=project.path(negatives))


def started(folder: Path, size: Size) -> Path:
    """A new BERT that has seen docstrings for some steps, in the form of sentence-transformers."""
    data = {"texts": {"source": "pydocs", "packages": list(size.packages)}}
    bert = {"recipe": "mlm", "from": "scratch", "data": "texts", "architecture": size.shape, "steps": size.steps}
    bert |= {"length": LENGTH, "batch_size": 64, "measurements": 0}
    project = ours.project(folder / "bert", {"datasets": data, "models": {"bert": bert}})
    project.make(ours.model("bert"))
    released = {"recipe": "released", "from": f"path:{project.path(ours.model('bert')).parent.resolve()}"}
    project = ours.project(folder / "released", {"datasets": data, "models": {"start": released}})
    project.make(ours.model("start"))
    return project.path(ours.model("start")).parent.resolve()


def race(way: str, world, size: Size, precision: str, rival: bool) -> None:
    """Queries a second and MRR@10 of both, seed by seed."""
    batch, queries, _ = size.ways[way]
    print(f"{way}: {queries:,} queries, {batch} a step, one negative each", flush=True)
    rates, quality = {"ours": [], "theirs": []}, {"ours": [], "theirs": []}
    for seed in size.seeds:
        target = ours.model(name_of(way, seed))
        # a chunk of its own keeps the gradient cache at work, whatever memory there is
        chunk = 0 if way == "uncached" else MINI_BATCH * LENGTH
        made = world.project.made(target, again=True, chunk=chunk)
        rates["ours"].append(queries / max(made.facts["training_seconds"], 0.05))  # which are rounded
        quality["ours"].append(mrr(world.project.path(target).parent, world))
        if rival:
            with tempfile.TemporaryDirectory() as folder:
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                    seconds = process.submit(theirs, size.ways[way], way == "cached", seed, world, precision, folder)
                    rates["theirs"].append(queries / seconds.result())
                quality["theirs"].append(mrr(Path(folder), world))
        for who in (who for who in rates if rates[who]):
            print(f"  seed {seed}, {who}: {rates[who][-1]:.1f} queries/s, MRR@10 {quality[who][-1]:.4f}", flush=True)
    quality_before = mrr(world.start, world)
    if rival:
        say(f"{way}, queries/s", statistics.median(rates["ours"]) / statistics.median(rates["theirs"]), GOALS[way], "x")
        means = {who: statistics.mean(values) for who, values in quality.items()}
        spread = max(statistics.stdev(values) if len(values) > 1 else 0 for values in quality.values())
        print(
            f"  MRR@10 {quality_before:.4f} before, {means['ours']:.4f} ours, {means['theirs']:.4f} theirs", flush=True
        )
        say(f"{way}, MRR@10 less than theirs", max(means["theirs"] - means["ours"], 0), round(2 * spread, 4), most=True)


def theirs(way: tuple[int, int, float], cached: bool, seed: int, world, precision: str, folder: str) -> float:
    """Seconds that sentence-transformers' trainer takes; the model is left in `folder`."""
    from datasets import Dataset as Rows
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
        losses,
    )
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def on_train_begin(self, *_, **__):
            self.began = time.perf_counter()

        def on_train_end(self, *_, **__):
            self.seconds = time.perf_counter() - self.began

    size, queries, rate = way
    network = SentenceTransformer(str(world.start), device="cpu")
    network.max_seq_length = LENGTH
    scale = {"scale": 1 / TEMPERATURE}
    loss = losses.MultipleNegativesRankingLoss(network, **scale)
    if cached:
        loss = losses.CachedMultipleNegativesRankingLoss(network, mini_batch_size=MINI_BATCH, **scale)
    clock = Clock()
    arguments = SentenceTransformerTrainingArguments(
        f"{folder}/trainer",
        num_train_epochs=1,
        per_device_train_batch_size=size,
        learning_rate=rate,
        warmup_steps=WARMUP,
        weight_decay=DECAY,
        bf16=precision == "bfloat16",
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=seed,
    )
    rows = Rows.from_list(triples(world, queries, seed))
    SentenceTransformerTrainer(network, arguments, train_dataset=rows, loss=loss, callbacks=[clock]).train()
    network.save(folder, create_model_card=False)
    return clock.seconds


def triples(world, queries: int, seed: int) -> list[dict[str, str]]:
    """The texts of the same training queries that the project chooses for this seed."""
    from dewpoint.data.instances import pick_queries

    data, negatives = Dataset(world.dataset), read_negatives(world.negatives)
    query, passage = data.positives("train")
    asked, shown = (data.column(table, "text") for table in ("queries.train", "corpus"))
    positive = dict(zip(query[::-1].tolist(), passage[::-1].tolist(), strict=True))  # the first one judged
    some = np.diff(negatives.offsets) > 0
    first = negatives.passages[negatives.offsets[:-1][some]]
    negative = dict.fromkeys(query.tolist(), 0) | dict(zip(negatives.query[some].tolist(), first.tolist(), strict=True))
    chosen = pick_queries(query, queries, np.zeros(0), seed).tolist()
    columns = ("anchor", asked, chosen), ("positive", shown, [positive[one] for one in chosen])
    columns += (("negative", shown, [negative[one] for one in chosen]),)
    texts = {name: [texts[row].as_py() for row in rows] for name, texts, rows in columns}
    return [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]


def mrr(folder: Path, world) -> float:
    """On 1,000 test queries and about 5,000 passages, in the same way for both."""
    store, data = TokenStore(world.project.tokens("texts")), Dataset(world.dataset)
    wanted = SimpleNamespace(split="test", queries=1000, metric="MRR@10", reranks=False, depth=0, passages=4000)
    settings = SimpleNamespace(seed=0, development=wanted)
    proxy = Proxy(data, [], store.queries("test", LENGTH), store.passages(LENGTH), settings)
    model = read_retriever(folder)
    with precision("auto", model.passages.backbone):
        return proxy.measure(model, store.special, store.special, 4096)[proxy.name]


# --- two rounds ---------------------------------------------------------------------------------


def rounds(results: Path) -> None:
    """What benchmarks/two-rounds.yaml gave: means and standard deviations over seeds, and what a second round adds."""
    tables = [results / "tables" / f"{name}.csv" for name in ("rounds", "fewer-queries")]
    if not all(table.is_file() for table in tables):
        print(f"no tables in {results}; run snakemake --cores all --config study=benchmarks/two-rounds.yaml first")
        return
    values = pd.concat([pd.read_csv(table, index_col="ranker") for table in tables]).filter(regex=r"^\S+@\d+$")
    values["what"] = [name.rsplit("-", 1)[0] if name[-2:] in ("-1", "-2", "-3") else name for name in values.index]
    grouped = values.groupby("what", sort=False)
    means, spreads = grouped.mean(), grouped.std().fillna(0)
    for what, row in means.iterrows():
        shown = [f"{metric} {value:.3f} ± {spreads.loc[what, metric]:.3f}" for metric, value in row.items()]
        print(f"  {what}: {', '.join(shown)}")
    for init in ("minilm", "small"):
        gain = means.loc[f"{init}-second"] - means.loc[f"{init}-first"]
        say(f"{init}, second round, gain in MRR@10", gain["MRR@10"], 0)


if __name__ == "__main__":
    main()
