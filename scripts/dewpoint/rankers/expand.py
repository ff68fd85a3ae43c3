"""`expand`: BM25 over passages with queries at their end that a model wrote for them (docT5query)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.rankers._asking import texts_of, writes_nothing
from dewpoint.rankers.bm25 import Bm25, latency, live, rank  # noqa: F401  as BM25 does
from dewpoint.study.bases import Inputs, Resources
from dewpoint.study.kind import For, Names
from dewpoint.study.sizes import PIECES, Cost
from dewpoint.study.types import Count, Label, Seed

DERIVE = For("derive")
QUERY_WORDS = 6  # on average
WRITTEN_BYTES = 10  # of a query, packed


class Expand(Bm25):
    """BM25 over passages with queries at their end that a model wrote for them (docT5query)."""

    resources: ClassVar[dict[str, Resources]] = Bm25.resources | {
        "derive": Resources(mem_mb=16_000, runtime=2880, threads="half", gpu=1)
    }
    cites: ClassVar[tuple[str, ...]] = ("robertson2009bm25", "nogueira2019doct5query")

    kind: Literal["expand"]
    by: Annotated[Label, Names("models")] = Field(description="who writes the queries, a seq2seq")
    queries: Annotated[Count, DERIVE] = Field(40, description="written for each passage")
    top_k: Annotated[Count, DERIVE] = Field(10, description="likeliest tokens, one of which is drawn each time")
    temperature: Annotated[float, DERIVE] = Field(
        1.0, gt=0, le=100, description="less than 1: likelier tokens; more: others more often"
    )
    seed: Annotated[Seed | None, DERIVE] = Field(None, description="of the drawing; config.yaml's when left out")

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        yield from writes_nothing(study, self.by)

    def small(self) -> dict[str, Any]:
        return super().small() | {"queries": min(self.queries, 3)}

    def derive_settings(self, graph) -> dict[str, Any]:
        seed = graph.config.seed if self.seed is None else self.seed
        return self.settings("derive") | texts_of(graph, self.by) | {"seed": seed, "precision": graph.config.precision}

    def derive_inputs(self, graph, dataset: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)], "model": [graph.model(self.by)]}

    def index_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return super().index_inputs(graph, name, dataset) | {"derived": graph.derived(name, dataset)}

    def derive_cost(self, sizes, dataset: str) -> Cost:
        """The passage is read once, each query's tokens go through a decoder of the encoder's size."""
        passages, most = sizes.passages(dataset), sizes.graph.study.models[self.by].passage_length
        read = sizes.forward(self.by, sizes.passage_tokens(dataset, most))
        tokens = self.queries * QUERY_WORDS * PIECES
        written = tokens * 2 * sizes.weights(self.by)
        return Cost(passages * (read + written), bytes=passages * self.queries * WRITTEN_BYTES)

    def index_cost(self, sizes, dataset: str) -> Cost:
        """Of the passages and of what was written."""
        words = sizes.graph.study.datasets[dataset].passage_words()
        plain = super().index_cost(sizes, dataset)
        share = 1 + self.queries * QUERY_WORDS / words
        return Cost(plain.operations, plain.core_hours * share, plain.bytes * share)


def derive(artifact: Artifact, settings, dataset: Path, model: Path) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.data.tokenizer import load_tokenizer
    from dewpoint.models.seq2seq import read_seq2seq
    from dewpoint.search.expansions import expand

    writer = read_seq2seq(model.parent, settings.precision)
    expand(artifact, Dataset(dataset), writer, load_tokenizer(model.parent), settings)


def index(artifact: Artifact, settings, dataset: Path, derived: list[Path]) -> None:
    from dewpoint.search import bm25
    from dewpoint.search.expansions import Expanded

    bm25.build(artifact, Expanded(dataset, derived), settings)
