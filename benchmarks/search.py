"""Encoding, search and mining against what others offer, at the sizes that matter; figures as name, value, goal.

python benchmarks/search.py [--only encode exact mine scale small] [--vectors passages.npy queries.npy]
                            [--text articles.jsonl.gz --field text --model minilm]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

import numpy as np

from benchmarks import ours, small_vectors
from benchmarks.common import WORDS, here, paragraphs, say, sentences

LENGTH, SHORT = 256, 32  # tokens of a passage: as MiniLM's own, and of a generated one
NEGATIVES = 30
SHARDS = 4


@dataclass(frozen=True)
class Size:
    passages: int  # encoded
    corpus: int  # searched exactly
    dimension: int
    queries: int
    depth: int
    mined: int  # passages
    scales: tuple[int, ...]  # passages
    turns: int
    small: int  # passages in smaller vectors
    asked: int  # of them


FULL = Size(20_000, 1_000_000, 384, 10_000, 200, 100_000, (1_250_000, 2_500_000, 5_000_000), 3, 200_000, 1000)
SMOKE = Size(50, 2000, 64, 100, 20, 200, (100, 200), 1, 3000, 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["encode", "exact", "mine", "scale", "small"])
    parser.add_argument("--text", type=Path, help="JSON lines to take the passages from that are encoded; or generated")
    parser.add_argument("--field", default="text", help="their field: a string, or a list of paragraphs")
    parser.add_argument("--model", type=Path, help="a folder of sentence-transformers; or a new BERT")
    parser.add_argument(
        "--vectors", type=Path, nargs=2, help="arrays of passages' and of queries' vectors; or generated"
    )
    parser.add_argument("--work", type=Path, help="where files are written (a temporary folder)")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    parser.add_argument("--part", nargs="*", help="(a rival, in a process of its own)")
    arguments = parser.parse_args()
    size = SMOKE if arguments.smoke else FULL
    if arguments.part:
        name, *paths = arguments.part
        return RIVALS[name](size, *map(Path, paths))
    folder = (arguments.work or Path(tempfile.mkdtemp(prefix="dewpoint-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if "encode" in arguments.only:
        encoding(folder / "encoding", size, arguments)
    if "exact" in arguments.only:
        exact(folder / "exact", size)
    if "mine" in arguments.only:
        mining(folder / "mining", size)
    if "scale" in arguments.only:
        scaling(folder / "scaling", size)
    if "small" in arguments.only:
        smaller(folder / "small", size, arguments.vectors)
    if not arguments.work:
        shutil.rmtree(folder)
    return None


def rival(size: Size, name: str, *paths: Path) -> SimpleNamespace:
    """What a rival prints of itself, run in a process of its own."""
    command = [sys.executable, __file__, *(["--smoke"] if size == SMOKE else []), "--part", name, *map(str, paths)]
    done = subprocess.run(command, text=True, capture_output=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    if done.returncode:
        sys.exit(done.stderr)
    return SimpleNamespace(**json.loads(done.stdout.splitlines()[-1]))


def told(**figures) -> None:
    from dewpoint.artifact import peak_memory_mb

    print(json.dumps(figures | {"mb": peak_memory_mb()}))


# --- what is searched ---------------------------------------------------------------------------


def searching(folder: Path, path: str, model: Path, length: int, size: Size, **config) -> ours.Project:
    """A study of one model as it is: its vectors, its run, and the negatives that the run gives."""
    texts = {"from": f"path:{model}", "query_length": SHORT, "passage_length": length, "title": "none"}
    mined = {"negatives": ["near"], "negatives_depth": size.depth, "negatives_kept": NEGATIVES, "data": "texts"}
    study = {
        "datasets": {"texts": {"source": "beir", "path": path}},
        "models": {"m": {"recipe": "released", **texts}, "next": {"recipe": "retriever", **texts, **mined}},
        "rankers": {"near": {"kind": "dense", "model": "m", "depth": size.depth}},
    }
    return ours.project(folder, study, **config)


def new(folder: Path, hidden: int) -> Path:
    """The folder of a new BERT of one layer, with a vocabulary of numbers; it has learned nothing."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{number}" for number in range(WORDS))]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=LENGTH).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 1, "hidden_size": hidden, "num_attention_heads": hidden // 32}
    config = BertConfig(vocab_size=len(words), intermediate_size=4 * hidden, max_position_embeddings=LENGTH, **shape)
    BertModel(config).save_pretrained(folder)
    return folder


# --- encoding -----------------------------------------------------------------------------------


def encoding(folder: Path, size: Size, options) -> None:
    texts = list(sentences(2 * size.passages, 120, 0))
    if options.text:
        texts = [text for text in paragraphs(options.text, options.field) if len(text.split()) >= 40]
    texts = [texts[row] for row in np.random.default_rng(0).permutation(len(texts))[: size.passages]]
    path = ours.beir(folder / "files", texts, texts[:1], "train")
    model = options.model.resolve() if options.model else new(folder / "bert", size.dimension)
    project, shard = searching(folder / "ours", path, model, LENGTH, size), ours.vectors("m", "texts", "corpus")
    mine = project.made(shard)
    tokenising = project.record(str(project.tokens("texts").relative_to(project.folder)))
    print(
        f"encoding {len(texts):,} passages: {len(texts) / mine.seconds:.1f} passages/s in {mine.mb:,} MB "
        f"(tokenised before in {tokenising.seconds:.1f} s)"
    )
    if not here("sentence-transformers", "sentence_transformers"):
        return
    data, released = project.path(ours.dataset("texts")), project.path(ours.model("m")).parent
    theirs = rival(size, "sentence-transformers", options.model or released, data, folder / "theirs.npy")
    from dewpoint.search.vectors import Vectors

    vectors, other = Vectors([project.path(shard)]).all(), np.load(folder / "theirs.npy")
    cosine = (vectors * other).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(other, axis=1)
    print(f"sentence-transformers: {len(texts) / theirs.seconds:.1f} passages/s in {theirs.mb:,} MB")
    say("encoding, passages/s", theirs.seconds / (mine.seconds + tokenising.seconds), 3.5, "×")
    say("encoding, smallest cosine", float(cosine.min()), 0.999)


def sentence_transformers(size: Size, model: Path, data: Path, output: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from dewpoint.data.dataset import Dataset

    texts, encoder = Dataset(data).column("corpus", "text").to_pylist(), SentenceTransformer(str(model), device="cpu")
    encoder.max_seq_length = LENGTH
    began = time.perf_counter()
    vectors = encoder.encode(texts)
    told(seconds=time.perf_counter() - began)
    np.save(output, vectors)


# --- exact search -------------------------------------------------------------------------------


def exact(folder: Path, size: Size) -> None:
    """Random vectors lie where the workflow has those of a model."""
    path = ours.beir(folder / "files", ["one"], ["one"], "train")
    project = searching(folder / "ours", path, new(folder / "bert", 32), SHORT, size, shards=SHARDS)
    for shard in range(SHARDS):
        random_vectors(project, "corpus", size.corpus, size, shard, SHARDS)
    random_vectors(project, "queries.train", size.queries, size)
    bare, mine = [], []
    for _ in range(size.turns):
        bare.append(rival(size, "bare", project.folder))
        mine.append(project.made(ours.run("near", "texts", "train"), again=True, only=True))
    theirs, seconds = (float(np.median([one.seconds for one in turns])) for turns in (bare, mine))
    print(
        f"exact search, {size.corpus:,} × {size.dimension}, {size.queries:,} queries, best {size.depth}: "
        f"{seconds:.1f} s from files to run, bare index {theirs:.1f} s in memory, {bare[0].mb / 1024:.2f} GiB"
    )
    say("exact search, time against a bare index", seconds / theirs, 1.15, "×", most=True)
    say("exact search, peak memory", max(one.mb for one in mine) / 1024, 3, "GiB", most=True)


def random_vectors(project: ours.Project, part: str, total: int, size: Size, shard: int = 0, shards: int = 1) -> None:
    """A shard of vectors of length one, as encoding writes them."""
    from dewpoint.artifact import Artifact
    from dewpoint.search.encode import WINDOW, shard_bounds
    from dewpoint.search.vectors import VectorWriter

    manifest = project.path(ours.vectors("m", "texts", part, shard, shards))
    if not manifest.exists():
        artifact, (first, end) = Artifact(manifest), shard_bounds(total, shard, shards)
        rng = np.random.default_rng([len(part), shard])
        with VectorWriter(artifact.beside(".parquet"), size.dimension, "float16") as file:
            for start in range(first, end, WINDOW):
                vectors = rng.standard_normal((min(WINDOW, end - start), size.dimension), np.float32)
                file.write((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16))
        facts = {"model": "random", "dimension": size.dimension, "first": first, "rows": end - first, "of": total}
        artifact.facts |= facts
        artifact.seal()


def bare(size: Size, folder: Path) -> None:
    import faiss

    from dewpoint.search.vectors import Vectors

    index, shards = faiss.IndexFlatIP(size.dimension), range(SHARDS)
    files = [folder / ours.vectors("m", "texts", "corpus", shard, SHARDS) for shard in shards]
    for _, vectors in Vectors(files).blocks():
        index.add(vectors)
    queries = Vectors([folder / ours.vectors("m", "texts", "queries.train")]).all()
    began = time.perf_counter()
    index.search(queries, size.depth)
    told(seconds=time.perf_counter() - began)


# --- mining -------------------------------------------------------------------------------------


def mining(folder: Path, size: Size) -> None:
    """From texts to negatives, with an encoder of one layer."""
    asked = min(size.queries, size.mined)
    path = ours.beir(folder / "files", sentences(size.mined, 20, 0), sentences(asked, 8, 1), "train")
    project = searching(folder / "ours", path, new(folder / "bert", size.dimension), SHORT, size)
    stages = mine(project)
    seconds, mb = sum(stage.seconds for stage in stages.values()), max(stage.mb for stage in stages.values())
    print(f"mining {size.mined:,} passages for {asked:,} queries: {seconds:.1f} s, {mb:,} MB; {shown(stages)}")
    if not here("mine_hard_negatives of sentence-transformers", "sentence_transformers", "datasets"):
        return
    released, data = project.path(ours.model("m")).parent, project.path(ours.dataset("texts"))
    theirs = rival(size, "mine_hard_negatives", released, data)
    print(f"sentence-transformers: {theirs.seconds:.1f} s, {theirs.mb:,} MB")
    say("mining, speed against sentence-transformers", theirs.seconds / seconds, 1, "×")
    say("mining, memory against sentence-transformers", mb / theirs.mb, 1, "×", most=True)


def mine(project: ours.Project) -> dict[str, SimpleNamespace]:
    """Every stage from texts to negatives; what each took."""
    project.make(project.negatives("next"))
    return {
        "tokenise": project.record(str(project.tokens("texts").relative_to(project.folder))),
        "encode": project.record(ours.vectors("m", "texts", "corpus")),
        "encode queries": project.record(ours.vectors("m", "texts", "queries.train")),
        "rank": project.record(ours.run("near", "texts", "train")),
        "negatives": project.record(project.negatives("next")),
    }


def shown(stages: dict) -> str:
    return ", ".join(f"{name} {stage.seconds:.1f} s {stage.mb:,} MB" for name, stage in stages.items())


def mine_hard_negatives(size: Size, model: Path, data: Path) -> None:
    from datasets import Dataset as Table
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives as others

    from dewpoint.data.dataset import Dataset

    texts = Dataset(data)
    corpus, asked = texts.column("corpus", "text").to_pylist(), texts.column("queries.train", "text").to_pylist()
    pairs = Table.from_dict({"query": asked, "answer": corpus[: len(asked)]})
    encoder = SentenceTransformer(str(model), device="cpu")
    encoder.similarity_fn_name = "dot"
    began = time.perf_counter()
    kept = min(NEGATIVES, size.depth // 2)
    options = {"range_max": size.depth, "num_negatives": kept, "sampling_strategy": "random", "use_faiss": True}
    others(pairs, encoder, corpus=corpus, output_format="n-tuple", batch_size=32, verbose=False, **options)
    told(seconds=time.perf_counter() - began)


# --- the size of the corpus ---------------------------------------------------------------------


def scaling(folder: Path, size: Size) -> None:
    """Every stage on corpora of a growing size."""
    seen, model = {}, new(folder / "bert", 32)
    for passages in size.scales:
        asked = min(size.queries, passages)
        path = ours.beir(folder / f"files-{passages}", sentences(passages, 10, 0), sentences(asked, 6, 1), "train")
        seen[passages] = mine(searching(folder / str(passages), path, model, SHORT, size))
        print(f"{passages:,} passages: {shown(seen[passages])}", flush=True)
    most = size.scales[-1]
    for name in ("tokenise", "encode", "rank", "negatives"):
        seconds = [max(seen[passages][name].seconds, 0.01) for passages in size.scales]
        say(f"{name}, peak memory at {most:,} passages", seen[most][name].mb / 1024, 3, "GiB", most=True)
        if name != "negatives":  # which depend on the queries alone
            exponent = np.polyfit(np.log(size.scales), np.log(seconds), 1)[0]
            say(f"{name}, exponent of the corpus's size", exponent, 1.1, "", most=True)


# --- smaller vectors ----------------------------------------------------------------------------


def smaller(folder: Path, size: Size, files: list[Path] | None) -> None:
    """What smaller vectors take and lose."""
    folder.mkdir(parents=True, exist_ok=True)
    made = map(np.load, files) if files else small_vectors.generated(size.small, size.dimension, size.asked)
    passages, asked = made
    print(f"{len(passages):,} × {passages.shape[1]} passages, {len(asked):,} queries", flush=True)
    rows = []
    for row in small_vectors.measured(folder, passages, asked.astype(np.float32)):
        rows.append(row)
        print(small_vectors.shown(row), flush=True)
    titles = small_vectors.SHOWN
    print(f"\n| {' | '.join(titles)} |\n{'|--' * len(titles)}|", *map(small_vectors.shown, rows), sep="\n")
    for name, goal in (("float16", 1), ("int8", 0.999), ("bits", 0.95)):
        found = next(row for row in reversed(rows) if row["index"] == name)
        say(f"{name}, R@100 of {found['scored again']:,} candidates scored again", found["R@100"], goal)


RIVALS = {"sentence-transformers": sentence_transformers, "bare": bare, "mine_hard_negatives": mine_hard_negatives}

if __name__ == "__main__":
    main()
