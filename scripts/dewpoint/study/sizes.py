"""What jobs cost, reckoned from sizes: floating-point operations, hours of a core, bytes on disk.

For a text of n tokens and an encoder of P weights beyond its embeddings, L layers and width h

    forward(n) = n · (2 P + 4 L h n),        training = 3 · forward

What a core does was measured (docs/benchmarks.md).
"""

from dataclasses import dataclass
from pathlib import Path

from dewpoint.artifact import read_manifest
from dewpoint.evaluation.registry import SCORES, TRIPLETS

# of one core, on a corpus of this many passages where it matters; measured
PREPARED, TOKENISED, WRITTEN = 50_000, 30_000, 200_000
# layers, width by what is in a name, the first that is
SHAPES = {
    "deberta-v2-xlarge": (24, 1536),
    "modernbert-large": (28, 1024),
    "modernbert": (22, 768),
    "0.6b": (28, 1024),
    "-4b": (36, 2560),
    "-7b": (32, 4096),
    "-8b": (36, 4096),
    "large": (24, 1024),
    "-3b": (24, 2048),
    "minilm": (6, 384),
    "distil": (6, 768),
    "tinybert_general_4l": (4, 312),
    "electra-small": (12, 256),
    "tiny": (2, 128),
}
BASE, EMBEDDED = (12, 768), 31_000  # any other; vocabulary and positions
PIECES, LETTERS, PACKED = 1.35, 6, 0.45  # tokens and bytes a word; share that compression leaves
QUERY_TOKENS, RUN_BYTES = 10, 7
HOUR = 3600
EACH = {SCORES: 2, TRIPLETS: 3}  # texts of an example


@dataclass(frozen=True)
class Cost:
    operations: float = 0  # of a GPU
    core_hours: float = 0
    bytes: float = 0

    def __add__(self, other: "Cost") -> "Cost":
        sums = self.operations + other.operations, self.core_hours + other.core_hours, self.bytes + other.bytes
        return Cost(*sums)


def of_core(units: float, a_second: float, bytes: float = 0) -> Cost:
    """So many units of work, of which a core does so many a second."""
    return Cost(core_hours=units / a_second / HOUR, bytes=bytes)


def prepared(passages: float, words: float) -> Cost:
    """Passages of so many words, written as Parquet."""
    return of_core(passages, PREPARED, passages * words * LETTERS * PACKED)


def tokenised(passages: float, words: float) -> Cost:
    return of_core(passages, TOKENISED, passages * (2 * words * PIECES + 16))


def written(rows: float) -> Cost:
    """Rows of a run."""
    return of_core(rows, WRITTEN, rows * RUN_BYTES)


@dataclass(frozen=True)
class Sizes:
    """How many passages, queries, tokens and weights a study's entries have; `graph` knows the study."""

    graph: object

    def rows(self, dataset: str) -> dict:
        """A dataset's counts: those of its manifest, or the published ones; empty where nobody knows."""
        manifest, definition = Path(self.graph.dataset(dataset)), self.graph.study.datasets[dataset]
        if manifest.is_file():
            return {"passages": 0, "queries": {}} | read_manifest(manifest)["facts"]
        known = definition.roughly() | definition.expected()
        parts = [self.rows(name) for _, _, name in definition.names()]
        return definition.joined(known, parts) if parts else known

    def passages(self, dataset: str) -> int:
        return self.rows(dataset)["passages"]

    def queries(self, dataset: str, split: str) -> int:
        return self.rows(dataset)["queries"].get(split, 0)

    def examples(self, dataset: str, split: str) -> int:
        return self.rows(dataset).get("examples", {}).get(split, 0)

    def texts(self, dataset: str) -> int:
        """Its passages, and those of its examples."""
        examples = self.graph.study.datasets[dataset].examples
        each = {split: EACH[of] for split, of in examples.items()}
        return self.passages(dataset) + sum(count * self.examples(dataset, split) for split, count in each.items())

    def passage_tokens(self, dataset: str, most: int) -> float:
        """Of a passage that is cut to `most`."""
        return min(most, self.graph.study.datasets[dataset].passage_words() * PIECES)

    def shape(self, model: str) -> tuple[int, int]:
        """(layers, width), of a new model as the study says, of a released one as its name does."""
        source, node = self.graph.root(model)
        if source == "scratch":
            return node.architecture.layers, node.architecture.hidden
        return next((shape for name, shape in SHAPES.items() if name in source.lower()), BASE)

    def weights(self, model: str) -> float:
        """Beyond the embeddings; a head is counted where it is trained."""
        layers, width = self.shape(model)
        return 12 * layers * width**2

    def forward(self, model: str, tokens: float) -> float:
        """Floating-point operations for one text."""
        layers, width = self.shape(model)
        return tokens * (2 * self.weights(model) + 4 * layers * width * tokens)
