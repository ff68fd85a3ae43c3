"""How fast retrievers are trained, and how good they become: against sentence-transformers' trainer, in one run.

Both fine-tune the same model on the same queries, positives and BM25 negatives, with the same batch, lengths, epochs,
learning rate and precision, each in a process of its own, taking turns; the cached loss for the large batch. Then, when
`snakemake --cores all --config study=benchmarks/two-rounds.yaml` has been run, what the two rounds brought.

Prints a line for each figure: name, value, goal, ok or short. Wants a quiet machine.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

import numpy as np
import pandas as pd
import torch

from benchmarks.common import program, say
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives
from dewpoint.data.tokens import TokenStore
from dewpoint.models.device import precision
from dewpoint.models.folder import read_retriever
from dewpoint.training.proxy import MEASURE, Proxy

LENGTH, TEMPERATURE, WARMUP, DECAY = 64, 0.05, 0.1, 0.01
SEEDS = (1, 2, 3)
WAYS = {  # queries a step, queries in all, learning rate
    "uncached": (64, 2048, 2e-5),
    "cached": (512, 2048, 5e-5),
}
GOALS = {"uncached": 1.5, "cached": 1.8}
MINI_BATCH = 32  # the rival's own default


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a BEIR folder with a train and a test split")
    parser.add_argument("--model", type=Path, help="the folder of a sentence-transformers model")
    parser.add_argument("--precision", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--only", nargs="*", default=[*WAYS, "rounds"])
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "retriever")
    parser.add_argument("--results", type=Path, default=HOME / "results" / "two-rounds")
    options = parser.parse_args()
    if set(options.only) & WAYS.keys():
        if not (options.data and options.model):
            sys.exit("error: name the data and the model: make bench-retriever DATA=squad-sent MODEL=minilm")
        world = prepared(options)
        print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {options.precision}", flush=True)
        for way in (way for way in WAYS if way in options.only):
            race(way, world, options)
    if "rounds" in options.only:
        rounds(options.results)


def prepared(options) -> SimpleNamespace:
    """Dataset, tokens and BM25 negatives by the project's programs; one negative a query, the same for both."""
    work, source = options.work, {"source": "beir", "path": str(options.data)}
    names = ("dataset", "tokenizer", "tokens", "bm25", "negatives")
    paths = {name: work / name / "manifest.json" for name in names} | {"run": work / "runs" / "squad.train.json"}
    files = [options.data / "corpus.jsonl", options.data / "queries.jsonl", *(options.data / "qrels").glob("*")]
    program("prepare", paths["dataset"], source, study="benchmark", files=files)
    program("tokenizer", paths["tokenizer"], {"source": str(options.model)}, dataset=[])
    program("tokenize_texts", paths["tokens"], {}, dataset=paths["dataset"], tokenizer=paths["tokenizer"])
    program("bm25", paths["bm25"], {"k1": 0.9, "b": 0.4}, dataset=paths["dataset"])
    ranked = {"depth": 100, "split": "train"}
    program("rank_bm25", paths["run"], ranked, dataset=paths["dataset"], index=paths["bm25"])
    chosen = {"depth": 100, "kept": 1, "without": ["judged"], "seed": 1, "split": "train"}
    program("negatives", paths["negatives"], chosen, dataset=paths["dataset"], runs=[paths["run"]])
    return SimpleNamespace(**paths)


def race(way: str, world, options) -> None:
    """Queries a second and MRR@10 of both, seed by seed."""
    size, queries, _ = WAYS[way]
    print(f"{way}: {queries:,} queries, {size} a step, one negative each", flush=True)
    rates, quality = {"ours": [], "theirs": []}, {"ours": [], "theirs": []}
    quality_before = mrr(options.model, world)
    for seed in SEEDS:
        made = ours(way, seed, world, options)
        rates["ours"].append(queries / made["facts"]["training_seconds"])
        quality["ours"].append(mrr(options.work / f"{way}-{seed}", world))
        with tempfile.TemporaryDirectory() as folder:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                seconds = process.submit(theirs, way, seed, world, str(options.model), options.precision, folder)
                rates["theirs"].append(queries / seconds.result())
            quality["theirs"].append(mrr(Path(folder), world))
        for who in rates:
            print(f"  seed {seed}, {who}: {rates[who][-1]:.1f} queries/s, MRR@10 {quality[who][-1]:.4f}", flush=True)
    say(f"{way}, queries/s", statistics.median(rates["ours"]) / statistics.median(rates["theirs"]), GOALS[way], "x")
    means = {who: statistics.mean(values) for who, values in quality.items()}
    spread = max(statistics.stdev(values) for values in quality.values())
    print(f"  MRR@10 {quality_before:.4f} before, {means['ours']:.4f} ours, {means['theirs']:.4f} theirs", flush=True)
    say(f"{way}, MRR@10 less than theirs", max(means["theirs"] - means["ours"], 0), round(2 * spread, 4), most=True)


def ours(way: str, seed: int, world, options) -> dict:
    size, queries, rate = WAYS[way]
    settings = {"recipe": "retriever", "source": str(options.model), "query_source": None}
    settings |= {"precision": options.precision, "train_queries": queries, "batch_size": size, "learning_rate": rate}
    settings |= {"query_length": LENGTH, "passage_length": LENGTH, "query_prefix": "", "passage_prefix": ""}
    settings |= {"title": "pair", "pooling": None, "normalize": None, "projection": None, "temperature": TEMPERATURE}
    settings |= {"negatives_per_query": 1, "in_batch": True, "positives": "first", "split": "train", "epochs": 1}
    settings |= {"warmup": WARMUP, "clip": 1.0, "weight_decay": DECAY, "development": None, "seed": seed}
    files = {"dataset": world.dataset, "tokens": world.tokens, "tokenizer": world.tokenizer}
    files |= {"query_tokens": world.tokens, "query_tokenizer": world.tokenizer, "negatives": world.negatives}
    output = options.work / f"{way}-{seed}" / "manifest.json"
    output.unlink(missing_ok=True)
    nothing = {"development": [], "parent": [], "query_parent": []}
    # a chunk of its own keeps the gradient cache at work, whatever memory there is
    chunk = 0 if way == "uncached" else MINI_BATCH * LENGTH
    return program("retriever", output, settings, **files, **nothing, chunk=chunk, checkpoint=10_000)


def theirs(way: str, seed: int, world, model: str, precision: str, folder: str) -> float:
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

    size, queries, rate = WAYS[way]
    network = SentenceTransformer(model, device="cpu")
    network.max_seq_length = LENGTH
    scale = {"scale": 1 / TEMPERATURE}
    loss = losses.MultipleNegativesRankingLoss(network, **scale)
    if way == "cached":
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
    negative = dict(zip(negatives.query.tolist(), negatives.passages[negatives.offsets[:-1]].tolist(), strict=True))
    chosen = pick_queries(query, queries, np.zeros(0), seed).tolist()
    columns = ("anchor", asked, chosen), ("positive", shown, [positive[one] for one in chosen])
    columns += (("negative", shown, [negative[one] for one in chosen]),)
    texts = {name: [texts[row].as_py() for row in rows] for name, texts, rows in columns}
    return [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]


def mrr(folder: Path, world) -> float:
    """On 1,000 test queries and about 5,000 passages, in the same way for both."""
    store, data = TokenStore(world.tokens), Dataset(world.dataset)
    wanted = SimpleNamespace(split="test", queries=1000, depth=0, passages=4000)
    settings = SimpleNamespace(seed=0, development=wanted)
    proxy = Proxy(data, [], store.queries("test", LENGTH), store.passages(LENGTH), settings)
    model = read_retriever(folder)
    with precision("auto", model.passages.backbone):
        return proxy.measure(model, store.special, store.special, 4096)[MEASURE]


# --- two rounds ---------------------------------------------------------------------------------


def rounds(results: Path) -> None:
    """What benchmarks/two-rounds.yaml gave: means and standard deviations over seeds, and what a second round adds."""
    tables = [results / "tables" / f"{name}.csv" for name in ("rounds", "fewer-queries")]
    if not all(table.is_file() for table in tables):
        print(f"no tables in {results}; run snakemake --cores all --config study=benchmarks/two-rounds.yaml first")
        return
    values = pd.concat([pd.read_csv(table, index_col="ranker") for table in tables])
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
