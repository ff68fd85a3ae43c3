"""Encoding, search and mining against what others offer, at the sizes that matter; figures as name, value, goal.

python benchmarks/search.py [--only encode exact mine scale] [--text articles.jsonl.gz --field text --model minilm]
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from common import HOME, program, say

sys.path[:0] = [str(HOME / "scripts")]

PASSAGES, LENGTH = 20_000, 256  # encoded; tokens, as MiniLM's own
CORPUS, QUERIES, DIMENSION, DEPTH = 1_000_000, 10_000, 384, 200
MINED, NEGATIVES = 100_000, 30
SCALES = (1_250_000, 2_500_000, 5_000_000)
TURNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["encode", "exact", "mine", "scale"])
    parser.add_argument("--text", type=Path, help="JSON lines to take the passages from that are encoded")
    parser.add_argument("--field", default="text", help="their field: a string, or a list of paragraphs")
    parser.add_argument("--model", type=Path, help="a folder of sentence-transformers")
    parser.add_argument("--work", type=Path, help="where files are written (a temporary folder)")
    parser.add_argument("--part", nargs="*", help="(a rival, in a process of its own)")
    arguments = parser.parse_args()
    if arguments.part:
        name, *paths = arguments.part
        return RIVALS[name](*map(Path, paths))
    folder = arguments.work or Path(tempfile.mkdtemp(prefix="dewpoint-"))
    folder.mkdir(parents=True, exist_ok=True)
    if "encode" in arguments.only:
        if arguments.text and arguments.model:
            encoding(folder, arguments.text, arguments.field, arguments.model)
        else:
            print("encoding: not measured, it needs --text and --model", flush=True)
    if "exact" in arguments.only:
        exact(folder)
    if "mine" in arguments.only:
        mining(folder)
    if "scale" in arguments.only:
        scaling(folder)
    if not arguments.work:
        shutil.rmtree(folder)
    return None


def rival(name: str, *paths: Path) -> dict:
    """What a rival prints of itself, run in a process of its own."""
    command = [sys.executable, __file__, "--part", name, *map(str, paths)]
    done = subprocess.run(command, text=True, capture_output=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def told(**figures) -> None:
    from dewpoint.artifact import peak_memory_mb

    print(json.dumps(figures | {"mb": peak_memory_mb()}))


def cost(record: dict) -> SimpleNamespace:
    return SimpleNamespace(seconds=record["run"]["seconds"], mb=record["run"]["peak_memory_mb"])


# --- what is searched ---------------------------------------------------------------------------


def dataset(folder: Path, passages, queries=()) -> Path:
    """A prepared dataset; each query's positive is the passage of the same number."""
    from dewpoint.artifact import Artifact
    from dewpoint.data.dataset import DatasetWriter

    manifest = folder / "data" / "manifest.json"
    if not manifest.exists():
        artifact = Artifact(manifest)
        writer = DatasetWriter(artifact)
        for row, text in enumerate(passages):
            writer.passage("", str(row), text)
        writer.end_of_corpus("")
        for row, text in enumerate(queries):
            writer.query("", "train", f"q{row}", text)
            writer.judgement("", "train", f"q{row}", str(row))
        writer.finish()
        artifact.seal()
    return manifest


def released(folder: Path, model: Path) -> tuple[Path, Path]:
    """(tokenizer, model) of a folder of sentence-transformers, as the study's."""
    tokenizer = folder / "tokenizer" / "manifest.json"
    program("tokenizer", tokenizer, {"source": str(model)}, dataset=[])
    texts = {"query_length": 32, "passage_length": LENGTH, "query_prefix": "", "passage_prefix": "", "title": "none"}
    settings = texts | {"recipe": "released", "source": str(model), "query_source": None}
    settings |= {"pooling": None, "normalize": None, "seed": 1}
    made = folder / "model" / "manifest.json"
    program("released", made, settings, tokenizer=tokenizer, query_tokenizer=tokenizer)
    return tokenizer, made


def tokenised(folder: Path, data: Path, tokenizer: Path) -> tuple[Path, SimpleNamespace]:
    manifest = folder / "tokens" / "manifest.json"
    return manifest, cost(program("tokenize_texts", manifest, {}, dataset=data, tokenizer=tokenizer))


def encoded(folder: Path, part: str, length: int, tokens: Path, model: Path) -> tuple[Path, SimpleNamespace]:
    settings = {"part": part, "length": length, "prefix": "", "precision": "auto", "vectors": "float16"}
    settings |= {"title": "none"} if part == "corpus" else {}
    manifest = folder / f"{part}-0of1.json"
    return manifest, cost(program("encode", manifest, settings, tokens=tokens, model=model, shard=0, shards=1))


def paragraphs(path: Path, field: str):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        for line in file:
            text = json.loads(line)[field]
            yield from (text if isinstance(text, list) else [text])


def small(folder: Path, hidden: int, layers: int) -> Path:
    """A new BERT with a vocabulary of numbers, in the form of sentence-transformers; it has learned nothing."""
    import torch
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    bert = folder / "bert"
    bert.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{number}" for number in range(WORDS))]
    (bert / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(bert / "vocab.txt"), model_max_length=LENGTH).save_pretrained(bert)
    torch.manual_seed(0)
    shape = {"num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": hidden // 32}
    config = BertConfig(vocab_size=len(words), intermediate_size=4 * hidden, max_position_embeddings=LENGTH, **shape)
    BertModel(config).save_pretrained(bert)
    transformer = models.Transformer(str(bert), max_seq_length=32)
    whole = SentenceTransformer(modules=[transformer, models.Pooling(hidden, "cls")], device="cpu")
    whole.save(str(folder / "small"))
    return folder / "small"


WORDS = 8000


def sentences(count: int, words: int, seed: int):
    """Texts of so many words on average, the frequent words far more often than the rare."""
    rng = np.random.default_rng(seed)
    names = np.array([f"w{number}" for number in range(WORDS)])
    for first in range(0, count, 10_000):
        lengths = rng.integers(words // 2, words + words // 2, min(10_000, count - first))
        drawn = names[(WORDS * rng.random(lengths.sum()) ** 3).astype(int)]
        yield from (" ".join(text) for text in np.split(drawn, np.cumsum(lengths)[:-1]))


# --- encoding -----------------------------------------------------------------------------------


def encoding(folder: Path, text: Path, field: str, model: Path) -> None:
    folder = folder / "encoding"
    texts = [text for text in paragraphs(text, field) if len(text.split()) >= 40]
    texts = [texts[row] for row in np.random.default_rng(0).permutation(len(texts))[:PASSAGES]]
    data = dataset(folder, texts)
    tokenizer, made = released(folder, model.resolve())
    tokens, tokenising = tokenised(folder, data, tokenizer)
    shard, ours = encoded(folder, "corpus", LENGTH, tokens, made)
    theirs = rival("sentence-transformers", model.resolve(), data, folder / "theirs.npy")
    from dewpoint.search.vectors import Vectors

    mine, other = Vectors([shard]).all(), np.load(folder / "theirs.npy")
    cosine = (mine * other).sum(1) / np.linalg.norm(mine, axis=1) / np.linalg.norm(other, axis=1)
    print(
        f"encoding {len(texts):,} passages: {len(texts) / ours.seconds:.1f} passages/s in {ours.mb:,} MB "
        f"(tokenised before in {tokenising.seconds:.1f} s), sentence-transformers {len(texts) / theirs['seconds']:.1f} "
        f"in {theirs['mb']:,} MB"
    )
    say("encoding, passages/s", theirs["seconds"] / (ours.seconds + tokenising.seconds), 3.5, "×")
    say("encoding, smallest cosine", float(cosine.min()), 0.999)


def sentence_transformers(model: Path, data: Path, output: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from dewpoint.data.dataset import Dataset

    texts, encoder = Dataset(data).column("corpus", "text").to_pylist(), SentenceTransformer(str(model), device="cpu")
    began = time.perf_counter()
    vectors = encoder.encode(texts)
    told(seconds=time.perf_counter() - began)
    np.save(output, vectors)


# --- exact search -------------------------------------------------------------------------------


def exact(folder: Path) -> None:
    folder = folder / "exact"
    corpus = [random_vectors(folder, "corpus", CORPUS, shard, 4) for shard in range(4)]
    queries = random_vectors(folder, "queries.test", QUERIES)
    bare, ours = [], []
    for _ in range(TURNS):
        bare.append(rival("bare", folder))
        run = folder / "run" / "d.test.json"
        run.unlink(missing_ok=True)
        ours.append(cost(program("rank_exact", run, {"depth": DEPTH}, queries=queries, corpus=corpus)))
    theirs, mine = np.median([one["seconds"] for one in bare]), np.median([one.seconds for one in ours])
    print(
        f"exact search, {CORPUS:,} × {DIMENSION}, {QUERIES:,} queries, best {DEPTH}: {mine:.1f} s from files to run, "
        f"bare index {theirs:.1f} s in memory, {bare[0]['mb'] / 1024:.2f} GiB"
    )
    say("exact search, time against a bare index", mine / theirs, 1.15, "×", most=True)
    say("exact search, peak memory", max(one.mb for one in ours) / 1024, 3, "GiB", most=True)


def random_vectors(folder: Path, part: str, total: int, shard: int = 0, shards: int = 1) -> Path:
    """A shard of vectors of length one, as encoding writes them."""
    from dewpoint.artifact import Artifact
    from dewpoint.search.encode import WINDOW, shard_bounds
    from dewpoint.search.vectors import VectorWriter

    manifest = folder / f"{part}-{shard}of{shards}.json"
    if not manifest.exists():
        artifact, (first, end) = Artifact(manifest), shard_bounds(total, shard, shards)
        rng = np.random.default_rng([len(part), shard])
        with VectorWriter(artifact.beside(".parquet"), DIMENSION, "float16") as file:
            for start in range(first, end, WINDOW):
                vectors = rng.standard_normal((min(WINDOW, end - start), DIMENSION), np.float32)
                file.write((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16))
        facts = {"model": "random", "dimension": DIMENSION, "first": first, "rows": end - first, "of": total}
        artifact.facts |= facts
        artifact.seal()
    return manifest


def bare(folder: Path) -> None:
    import faiss

    from dewpoint.search.vectors import Vectors

    index = faiss.IndexFlatIP(DIMENSION)
    for _, vectors in Vectors([folder / f"corpus-{shard}of4.json" for shard in range(4)]).blocks():
        index.add(vectors)
    queries = Vectors([folder / "queries.test-0of1.json"]).all()
    began = time.perf_counter()
    index.search(queries, DEPTH)
    told(seconds=time.perf_counter() - began)


# --- mining -------------------------------------------------------------------------------------


def mining(folder: Path) -> None:
    """From texts to negatives, with an encoder of one layer."""
    folder = folder / "mining"
    data = dataset(folder, sentences(MINED, 20, 0), sentences(QUERIES, 8, 1))
    model = small(folder, DIMENSION, 1)
    tokenizer, made = released(folder, model)
    theirs = rival("mine_hard_negatives", model, data)
    stages = mine(folder, data, tokenizer, made, 32, 32)
    seconds, mb = sum(stage.seconds for stage in stages.values()), max(stage.mb for stage in stages.values())
    print(
        f"mining {MINED:,} passages for {QUERIES:,} queries: {seconds:.1f} s, {mb:,} MB; sentence-transformers "
        f"{theirs['seconds']:.1f} s, {theirs['mb']:,} MB; " + shown(stages)
    )
    say("mining, speed against sentence-transformers", theirs["seconds"] / seconds, 1, "×")
    say("mining, memory against sentence-transformers", mb / theirs["mb"], 1, "×", most=True)


def mine(folder: Path, data: Path, tokenizer: Path, model: Path, length: int, query_length: int) -> dict:
    """Every stage from texts to negatives; what each took."""
    stages = {}
    tokens, stages["tokenise"] = tokenised(folder, data, tokenizer)
    corpus, stages["encode"] = encoded(folder, "corpus", length, tokens, model)
    queries, stages["encode queries"] = encoded(folder, "queries.train", query_length, tokens, model)
    run = folder / "run" / "data.train.json"
    stages["rank"] = cost(program("rank_exact", run, {"depth": DEPTH}, queries=queries, corpus=corpus))
    settings = {"depth": DEPTH, "kept": NEGATIVES, "without": ["judged"], "seed": 1, "split": "train"}
    stages["negatives"] = cost(program("negatives", folder / "negatives.json", settings, dataset=data, runs=run))
    return stages


def shown(stages: dict) -> str:
    return ", ".join(f"{name} {stage.seconds:.1f} s {stage.mb:,} MB" for name, stage in stages.items())


def mine_hard_negatives(model: Path, data: Path) -> None:
    from datasets import Dataset as Table
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives as others

    from dewpoint.data.dataset import Dataset

    texts = Dataset(data)
    corpus = texts.column("corpus", "text").to_pylist()
    pairs = Table.from_dict({"query": texts.column("queries.train", "text").to_pylist(), "answer": corpus[:QUERIES]})
    encoder = SentenceTransformer(str(model), device="cpu")
    encoder.similarity_fn_name = "dot"
    began = time.perf_counter()
    options = {"range_max": DEPTH, "num_negatives": NEGATIVES, "sampling_strategy": "random", "use_faiss": True}
    others(pairs, encoder, corpus=corpus, output_format="n-tuple", batch_size=32, verbose=False, **options)
    told(seconds=time.perf_counter() - began)


# --- the size of the corpus ---------------------------------------------------------------------


def scaling(folder: Path) -> None:
    """Every stage on corpora of a growing size."""
    folder, seen = folder / "scaling", {}
    model = small(folder, 32, 1)
    for size in SCALES:
        data = dataset(folder / str(size), sentences(size, 10, 0), sentences(QUERIES, 6, 1))
        tokenizer, made = released(folder, model)
        seen[size] = mine(folder / str(size), data, tokenizer, made, 32, 32)
        print(f"{size:,} passages: {shown(seen[size])}", flush=True)
    for name in ("tokenise", "encode", "rank", "negatives"):
        seconds = [seen[size][name].seconds for size in SCALES]
        say(f"{name}, peak memory at {SCALES[-1]:,} passages", seen[SCALES[-1]][name].mb / 1024, 3, "GiB", most=True)
        if name != "negatives":  # which depend on the queries alone
            exponent = np.polyfit(np.log(SCALES), np.log(seconds), 1)[0]
            say(f"{name}, exponent of the corpus's size", exponent, 1.1, "", most=True)


RIVALS = {"sentence-transformers": sentence_transformers, "bare": bare, "mine_hard_negatives": mine_hard_negatives}

if __name__ == "__main__":
    main()
