"""How fast pairs of query and passage are scored: a `rerank` against sentence-transformers' CrossEncoder.predict.

1,000 queries with 100 passages each, found by BM25, scored by a cross-encoder of MiniLM's size (6 layers of 384): the
same model, the same pairs, each in a process of its own. The rival is timed without loading, tokenising included; ours
is the whole program, in float32, in which both give the same scores, and in the precision that a study has by itself.
Then the same pairs by late interaction, an encoder of the same size with a vector of 128 for each token, against
MultiVectorEncoder: both are timed without loading, ours without tokenising. Theirs encodes a passage once, ours once
in a block of queries. Without --data and --model: generated text, and a new model.

Prints a line for each figure: name, value, goal, ok or short. Wants a quiet machine.
"""

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

import numpy as np
import torch

from benchmarks import ours
from benchmarks.common import here, say, sentences
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run, read_run
from dewpoint.data.tokenizer import load_tokenizer, train_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.models.weights import write_model
from dewpoint.search.rerank import PAIRS
from dewpoint.search.scorers import Reads, encoded

LENGTHS = {"query_length": 64, "passage_length": 192}
WORDS = (8, 60)  # of a generated query and passage, on average
GOALS, SAME = {"auto": 2.0, "float32": 1.2}, 1e-4  # of theirs, which is in float32; of scores
LATE_GOAL, LATE = 1.0, 128
RIVAL = ("sentence_transformers",)


@dataclass(frozen=True)
class Size:
    queries: int
    depth: int
    passages: int
    shape: dict  # of the new model
    precisions: tuple[str, ...]  # the scores of the last one stay


FULL = Size(
    1000,
    100,
    20_000,
    {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "vocab": 8000},
    ("auto", "float32"),
)
SMOKE = Size(
    3, 5, 50, {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab": 300}, ("float32",)
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a BEIR folder with a test split")
    parser.add_argument("--model", type=Path, help="the folder of a cross-encoder")
    parser.add_argument("--queries", type=int, help="of generated text; 1,000 when left out")
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "rerank")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    size = SMOKE if options.smoke else FULL
    data = options.data or generated(options.work / f"texts-{options.queries}", size, options.queries or size.queries)
    model = options.model or new_model(options.work / "model", size)
    study = {
        "datasets": {"texts": {"source": "beir", "path": str(data.resolve())}},
        "models": {"cat": {"recipe": "released-crossencoder", "from": f"path:{model.resolve()}"} | LENGTHS},
        "rankers": {
            "bm25": {"kind": "bm25", "depth": size.depth},
            "again": {"kind": "rerank", "of": "bm25", "by": "cat", "depth": size.depth},
        },
    }
    project, target = ours.project(options.work / "ours", study), ours.run("again", "texts", "test")
    project.make(ours.run("bm25", "texts", "test"), ours.model("cat"))
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
    rates = {}
    for precision in size.precisions:
        made = project.made(target, again=True, precision=precision)
        rates[precision] = made.facts["pairs"] / made.seconds
        print(f"ours, {precision}: {rates[precision]:.1f} pairs/s, {made.mb} MB", flush=True)
    if here("sentence-transformers' CrossEncoder", *RIVAL):
        run = read_run(project.path(target))
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            seconds, scores = process.submit(theirs, project, run).result()
        rate = len(scores) / seconds
        print(f"theirs: {rate:.1f} pairs/s", flush=True)
        for precision in size.precisions:
            say(f"pairs/s, {precision}", rates[precision] / rate, GOALS[precision], "x")
        say("largest difference of scores", float(np.abs(scores - run.score).max()), SAME, most=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            folder, (mine, seconds) = process.submit(late, project, run, size.precisions[-1]).result()
            expected, theirs_took = process.submit(late_theirs, project, run, folder).result()
        print(f"late: ours {len(mine) / seconds:.1f}, theirs {len(mine) / theirs_took:.1f} pairs/s", flush=True)
        say("late interaction, pairs/s", theirs_took / seconds, LATE_GOAL, "x")
        say("late interaction, largest difference of scores", float(np.abs(mine - expected).max()), SAME, most=True)


def late(project: ours.Project, run: Run, precision: str) -> tuple[Path, tuple[np.ndarray, float]]:
    """A late interaction's folder, made of the cross-encoder's encoder; scores, and seconds."""
    from dewpoint.models.backbone import load_encoder
    from dewpoint.models.encoder import TOKENS, Encoder, Retriever
    from dewpoint.models.folder import write_retriever

    start, folder = project.path(ours.model("cat")).parent, project.folder / "late"
    torch.manual_seed(0)
    model, texts = (
        Retriever(Encoder(load_encoder(start))),
        SimpleNamespace(**LENGTHS, query_prefix="", passage_prefix=""),
    )
    model.set_output(TOKENS, True, SimpleNamespace(size=LATE, norm=False))
    write_retriever(folder, model, (load_tokenizer(start),) * 2, texts, "")
    (store,) = (TokenStore(path) for path in (project.folder / "data" / "texts" / "tokens").glob("*/manifest.json"))
    scorer = encoded(Reads(folder, store, store, SimpleNamespace(**vars(texts), title="pair")), precision, "cpu")
    queries, scores, size = scorer.reads.queries("test"), np.empty(len(run.query), np.float32), PAIRS
    began = time.perf_counter()
    for first in range(0, len(scores), size):
        part = slice(first, first + size)
        scores[part] = scorer.score(queries, run.query[part], run.passage[part])
    return folder, (scores, time.perf_counter() - began)


def late_theirs(project: ours.Project, run: Run, folder: Path) -> tuple[np.ndarray, float]:
    from sentence_transformers import MultiVectorEncoder

    model, scores = MultiVectorEncoder(str(folder), device="cpu"), np.empty(len(run.query), np.float32)
    asked, shown = texts_of(project, folder)
    began = time.perf_counter()
    queries, (rows, passage) = model.encode_query(asked), np.unique(run.passage, return_inverse=True)
    passages = model.encode_document([shown[row] for row in rows])
    for query in np.unique(run.query):
        mine = np.flatnonzero(run.query == query)
        scores[mine] = model.similarity([queries[query]], [passages[row] for row in passage[mine]])[0]
    return scores, time.perf_counter() - began


def texts_of(project: ours.Project, folder: Path) -> tuple[list[str], list[str]]:
    """The test's queries, and the passages with their titles."""
    data, between = Dataset(project.path(ours.dataset("texts"))), load_tokenizer(folder).sep_token
    titles, texts = (data.column("corpus", name).to_pylist() for name in ("title", "text"))
    shown = [f"{title}{between}{text}" if title else text for title, text in zip(titles, texts, strict=True)]
    return data.column("queries.test", "text").to_pylist(), shown


def theirs(project: ours.Project, run: Run) -> tuple[float, np.ndarray]:
    """Seconds that predict takes as it is by itself, and its scores."""
    from sentence_transformers import CrossEncoder

    folder = project.path(ours.model("cat")).parent
    asked, shown = texts_of(project, folder)
    pairs = [(asked[query], shown[passage]) for query, passage in zip(run.query, run.passage, strict=True)]
    model = CrossEncoder(str(folder), device="cpu")
    model.predict(pairs[:32])
    began = time.perf_counter()
    scores = model.predict(pairs)
    return time.perf_counter() - began, scores


def generated(folder: Path, size: Size, queries: int) -> Path:
    """A BEIR folder; what is relevant does not matter."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, count, words, seed in (("queries", queries, WORDS[0], 1), ("corpus", size.passages, WORDS[1], 2)):
        texts = enumerate(sentences(count, words, seed))
        rows = [json.dumps({"_id": f"{name}{row}", "text": text}) for row, text in texts]
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    judged = [f"queries{row}\tcorpus{row % size.passages}\t1" for row in range(queries)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return folder


def new_model(folder: Path, size: Size) -> Path:
    """A random BERT for sequence classification, and a tokenizer of the generated words."""
    from transformers import BertConfig, BertForSequenceClassification

    shape = {name: value for name, value in size.shape.items() if name != "vocab"}
    words = train_tokenizer("bert", lambda: [list(sentences(2000, WORDS[1], 2))], size.shape["vocab"])
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(words), intermediate_size=4 * shape["hidden_size"], num_labels=1, **shape)
    write_model(BertForSequenceClassification(config), folder)
    words.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
