"""What a study will cost, reckoned from sizes and stated throughputs: hours on a GPU, hours on a core, bytes on disk.

A GPU's work is counted in floating-point operations, for a text of n tokens and an encoder of P weights beyond its
embeddings, L layers and width h

    forward(n) = n · (2 P + 4 L h n),        training = 3 · forward

and divided by what a GPU sustains. What a core does was measured (docs/benchmarks.md).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dewpoint.artifact import read_manifest
from dewpoint.data import catalogue
from dewpoint.study.grammar import (
    CoCondenser,
    Condenser,
    MsmarcoDocument,
    Node,
    Pretraining,
    Released,
    Retriever,
    Vectors,
)
from dewpoint.study.graph import Graph

SUSTAINED = {"h100": 350, "a100": 125, "4090": 70, "v100": 45, "2080ti": 18}  # TFLOP/s in training; assumed
SEARCHED = 0.03  # exact search's share of that
# of one core, on a corpus of this many passages where it matters; measured
PREPARED, TOKENISED, INDEXED, ANSWERED, ANSWERED_OF, WRITTEN = 50_000, 30_000, 15_000, 4_000, 170_000, 200_000
SHAPES = {"large": (24, 1024), "minilm": (6, 384), "distil": (6, 768), "tiny": (2, 128)}  # layers, width by name
BASE, EMBEDDED = (12, 768), 31_000  # any other; vocabulary and positions
WORDS = {"msmarco-passage": 60, "dpr": 100, "wikipedia": 45, "pydocs": 60}  # of a passage, on average
PIECES, LETTERS, PACKED = 1.35, 6, 0.45  # tokens and bytes a word; share that compression leaves
QUERY_TOKENS, RUN_BYTES, POSTING_BYTES = 10, 7, 8
ESTIMATED = {"wikipedia": 90_000_000, "msmarco-document": 10_500_000}  # passages, where no one says how many
HOUR, GIGA, TERA = 3600, 1e9, 1e12


@dataclass(frozen=True)
class Cost:
    gpu_hours: float = 0
    core_hours: float = 0
    bytes: float = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.gpu_hours + other.gpu_hours, self.core_hours + other.core_hours, self.bytes + other.bytes)


@dataclass(frozen=True)
class Costs:
    """The costs of a study's jobs, each known by its rule and its output."""

    graph: Graph
    teraflops: float

    def of(self, rule: str, output: str) -> Cost:
        """One job's."""
        known = {
            "download": self._download,
            "prepare": self._prepare,
            "tokenize": self._tokenize,
            "encode": self._encode,
            "bm25": self._bm25,
            "index": self._index,
            **dict.fromkeys(("mlm", "condenser", "cocondenser", "retriever", "released"), self._model),
            **dict.fromkeys(("rank_bm25", "rank_exact", "rank_index", "rank_given", "rank_file", "fuse"), self._rank),
        }
        base = self.graph.results if output.startswith(f"{self.graph.results}/") else self.graph.data
        return known[rule](*Path(output).relative_to(base).parts) if rule in known else Cost()

    # --- sizes ----------------------------------------------------------------------------------

    def rows(self, dataset: str) -> dict:
        """A dataset's counts: those of its manifest, or the published ones; empty where nobody knows."""
        manifest, definition = Path(self.graph.dataset(dataset)), self.graph.study.datasets[dataset]
        if manifest.is_file():
            return read_manifest(manifest)["facts"]
        known = {"passages": ESTIMATED.get(definition.source, 0), "queries": {}}
        return known | catalogue.expected(**definition.model_dump())

    def unknown(self) -> list[str]:
        """Datasets of the user's that are not prepared yet: what they cost is not counted."""
        return [name for name in self.graph.needed.datasets if not self.rows(name)["passages"]]

    def queries(self, dataset: str, split: str) -> int:
        return self.rows(dataset)["queries"].get(split, 0)

    def words(self, dataset: str) -> float:
        """Of a passage."""
        definition = self.graph.study.datasets[dataset]
        return definition.words if isinstance(definition, MsmarcoDocument) else WORDS.get(definition.source, 80)

    def shape(self, model: str) -> tuple[int, int]:
        """(layers, width), of a new model as the study says, of a released one as its name does."""
        source, node = self.graph.root(model)
        if source == "scratch":
            return node.architecture.layers, node.architecture.hidden
        return next((shape for name, shape in SHAPES.items() if name in source.lower()), BASE)

    def weights(self, model: str) -> float:
        """Beyond the embeddings; a Condenser's head is counted where it is trained."""
        layers, width = self.shape(model)
        return 12 * layers * width**2

    def forward(self, model: str, tokens: float) -> float:
        """Floating-point operations for one text."""
        layers, width = self.shape(model)
        return tokens * (2 * self.weights(model) + 4 * layers * width * tokens)

    # --- jobs -----------------------------------------------------------------------------------

    def _gpu(self, operations: float, bytes: float = 0) -> Cost:
        return Cost(gpu_hours=operations / (self.teraflops * TERA) / HOUR, bytes=bytes)

    def _core(self, units: float, a_second: float, bytes: float = 0) -> Cost:
        return Cost(core_hours=units / a_second / HOUR, bytes=bytes)

    def _download(self, _: str, name: str) -> Cost:
        return Cost(bytes=self.graph.downloads[name.removesuffix(".json")].bytes or 0)

    def unweighed(self) -> int:
        """Files whose size nobody says."""
        return sum(file.bytes is None for file in self.graph.downloads.values())

    def _prepare(self, dataset: str, _: str) -> Cost:
        passages = self.rows(dataset)["passages"]
        return self._core(passages, PREPARED, passages * self.words(dataset) * LETTERS * PACKED)

    def _tokenize(self, dataset: str, *_: str) -> Cost:
        passages = self.rows(dataset)["passages"]
        return self._core(passages, TOKENISED, passages * (2 * self.words(dataset) * PIECES + 16))

    def _model(self, _: str, name: str, *__: str) -> Cost:
        model = self.graph.study.models[name]
        _, width = self.shape(name)
        encoders = 2 if isinstance(model, Vectors) and model.query_from else 1
        kept = 4 * encoders * (self.weights(name) + EMBEDDED * width)
        return self._gpu(self._operations(name, model), kept)

    def _operations(self, name: str, model: Node) -> float:
        """Of a whole training."""
        if isinstance(model, Released):
            return 0
        if isinstance(model, Pretraining):
            spans = 2 if isinstance(model, CoCondenser) else 1  # of a document; and a forward pass more for the cache
            one = self.forward(name, model.length) * (4 if spans == 2 else 3)
            if isinstance(model, Condenser):
                one *= 1 + model.head_layers / self.shape(name)[0]
            return model.steps * model.batch_size * spans * one
        assert isinstance(model, Retriever)
        passage = min(model.passage_length, self.words(model.data) * PIECES)
        one = self.forward(name, QUERY_TOKENS) + (1 + model.beside) * self.forward(name, passage)
        asked = self.queries(model.data, model.split) if model.train_queries == "all" else model.train_queries
        return 3 * one * asked * max(1, len(model.negatives)) * model.epochs

    def _encode(self, _: str, model: str, dataset: str, file: str) -> Cost:
        part, shards = file.split("-")[0], int(file.split("of")[1][:-5])
        if part == "corpus":
            length = self.graph.study.models[model].passage_length
            rows, tokens = self.rows(dataset)["passages"] / shards, min(length, self.words(dataset) * PIECES)
        else:
            rows, tokens = self.queries(dataset, part.removeprefix("queries.")), QUERY_TOKENS
        size = 2 if self.graph.config.vectors == "float16" else 4
        return self._gpu(rows * self.forward(model, tokens), rows * self.shape(model)[1] * size)

    def _bm25(self, _: str, __: str, dataset: str, ___: str) -> Cost:
        passages = self.rows(dataset)["passages"]
        return self._core(passages, INDEXED, passages * self.words(dataset) * 0.6 * POSTING_BYTES)

    def _index(self, _: str, ranker: str, dataset: str, __: str) -> Cost:
        passages, width = self.rows(dataset)["passages"], self.shape(self.graph.dense_model(ranker))[1]
        return self._core(passages, INDEXED, passages * width * 4)

    def _rank(self, _: str, ranker: str, file: str) -> Cost:
        dataset, split = file.removesuffix(".json").split(".")
        described, passages = self.graph.study.rankers[ranker], self.rows(dataset)["passages"]
        queries = self.queries(dataset, split)
        kept = queries * min(described.depth, passages) * RUN_BYTES
        if described.kind == "bm25":
            return self._core(queries * max(1, passages / ANSWERED_OF), ANSWERED, kept)
        if described.kind == "dense":
            return self._gpu(2 * queries * passages * self.shape(described.model)[1] / SEARCHED, kept)
        return self._core(queries * described.depth, WRITTEN, kept)


def summary(costs: Costs, jobs: Iterable[tuple[str, str]]) -> str:
    """A line a rule: jobs, hours on a GPU, hours of a core, disk; and what the figures rest on."""
    counts, sums = Counter(), {}
    for rule, output in jobs:
        counts[rule] += 1
        sums[rule] = sums.get(rule, Cost()) + costs.of(rule, output)
    rows = [(rule, counts[rule], cost) for rule, cost in sums.items()]
    rows.append(("all", counts.total(), sum(sums.values(), Cost())))
    lines = [f"{'rule':<14}{'jobs':>6}{'GPU hours':>12}{'core hours':>12}{'disk, GB':>12}"]
    for rule, jobs_of, cost in rows:
        lines.append(
            f"{rule:<14}{jobs_of:>6,}{cost.gpu_hours:>12,.1f}{cost.core_hours:>12,.1f}{cost.bytes / GIGA:>12,.1f}"
        )
    lines.append(f"\nGPUs are assumed to sustain {costs.teraflops:g} TFLOP/s. What a core does was measured.")
    if unweighed := costs.unweighed():
        lines.append(f"Not counted: {unweighed} of the files to fetch, whose size is not known.")
    if unknown := costs.unknown():
        lines.append(f"Not counted: {', '.join(unknown)}, whose size is not known before they are prepared.")
    return "\n".join(lines)
