"""`late-interaction`: search by max-sim over a model's vectors of tokens, s(q, p) = Σ_i max_j q_i · p_j.

With an index, which holds all passages' vectors and finds `candidates` of them for each query vector, the passages of
these are scored exactly. Without one all passages are.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.rankers._vectors import SearchesVectors
from dewpoint.study.bases import QUERIES, Inputs, Resources
from dewpoint.study.kind import For
from dewpoint.study.sizes import QUERY_TOKENS, Cost, of_core
from dewpoint.study.types import Count

if TYPE_CHECKING:
    from dewpoint.search.live import Live

MULTIPLIED = 2e10  # operations of a core in a second, in float64; reckoned
SEEN = 0.25  # of the candidates' passages, how many differ; reckoned


class LateInteraction(SearchesVectors):
    """Search by max-sim over a model's vectors of tokens. Every colbert is one of its own name."""

    resources: ClassVar[dict[str, Resources]] = {
        "index": Resources(mem_mb=64_000, runtime=720, threads="half"),
        "rank": Resources(mem_mb=8000, runtime=1440, threads="half"),
        "probe": Resources(mem_mb=64_000, runtime=720, threads="half"),
        "latency": Resources(mem_mb=64_000, runtime=720, threads="all", gpu=1),
    }
    cites: ClassVar[tuple[str, ...]] = ("khattab2020colbert",)

    kind: Literal["late-interaction"]
    candidates: Annotated[Count, For("rank")] = Field(
        128, description="passages' vectors that an index finds for each of a query's"
    )

    def check(self, study):
        yield from super().check(study)
        if not study.models[self.model].several:
            yield "model", f"'{self.model}' gives no vector for each token; name a colbert"

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return super().rank_settings(graph, split) | ({"candidates": self.candidates} if self.approximate else {})

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        how = {"augmented": graph.study.models[self.model].fills_queries, "candidates": self.candidates}
        return super().latency_settings(graph, split) | how

    def live_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return super().live_inputs(graph, name, dataset) | {"tokens": [graph.tokens(self.model, dataset, QUERIES)]}

    def searched(self, graph, name: str, dataset: str) -> Inputs:
        """Passages that an index finds are scored by their vectors."""
        return super().searched(graph, name, dataset) | {"corpus": graph.embeddings(self.model, dataset, "corpus")}

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        vectors, width = self.vectors(sizes, dataset), sizes.shape(self.model)[1]
        if self.approximate:
            each = sizes.passage_tokens(dataset, sizes.graph.study.models[self.model].passage_length)
            vectors = min(vectors, SEEN * QUERY_TOKENS * self.candidates * each)
        products = 2 * sizes.queries(dataset, split) * QUERY_TOKENS * vectors * width
        return super().rank_cost(sizes, dataset, split) + of_core(products, MULTIPLIED)

    def vectors(self, sizes, dataset: str) -> float:
        length = sizes.graph.study.models[self.model].passage_length
        return sizes.passages(dataset) * sizes.passage_tokens(dataset, length)


def index(artifact: Artifact, settings, corpus: list[Path]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from dewpoint.search import indexes
    from dewpoint.search.late import AllVectors
    from dewpoint.search.vectors import Vectors

    vectors = AllVectors(Vectors(corpus))
    indexes.write(artifact, vectors, settings)
    pq.write_table(pa.table({"vectors": vectors.counts.astype("int32")}), artifact.path("passages.parquet"))
    artifact.facts |= {"passages": len(vectors.counts), "vectors": len(vectors)}


def rank(artifact: Artifact, settings, queries: Path, corpus: list[Path]) -> None:
    from dewpoint.data.runs import RunWriter
    from dewpoint.search import late
    from dewpoint.search.vectors import Vectors

    with RunWriter(artifact) as file:
        for found in late.search(Vectors([queries]), Vectors(corpus), settings.depth):
            file.write(found)


def probe(artifact: Artifact, settings, queries: Path, corpus: list[Path], index: Path) -> None:
    """Rank the passages that the index proposes."""
    from functools import partial

    import pyarrow.parquet as pq

    from dewpoint.artifact import member
    from dewpoint.data.runs import RunWriter
    from dewpoint.search import late
    from dewpoint.search.indexes import Searcher
    from dewpoint.search.vectors import Vectors

    nearest = partial(Searcher(index, vars(settings.parameters)), depth=settings.candidates)
    counts = pq.read_table(member(index, "passages.parquet"))["vectors"].to_numpy()
    with RunWriter(artifact) as file:
        for found in late.probe(Vectors([queries]), Vectors(corpus), nearest, counts, settings.depth):
            file.write(found)


def latency(
    artifact: Artifact,
    settings,
    dataset: Path,
    model: Path,
    tokens: Path,
    corpus: list[Path],
    index: Path | None,
) -> None:
    from dewpoint.models.device import take_device
    from dewpoint.search.latency import measure

    ask = live(settings, model, tokens, corpus, index, settings.precision, take_device())
    measure(artifact, settings, dataset, ask)


def live(
    settings,
    model: Path,
    tokens: Path,
    corpus: list[Path],
    index: Path | None,
    precision: str = "float32",
    device: str = "cpu",
) -> "Live":
    """`tokens` is the store of the dataset's queries."""
    from dewpoint.search.late_live import Late, Questions
    from dewpoint.search.vectors import Vectors

    encoder, vectors = Questions(model, tokens, settings, precision, device), Vectors(corpus)
    if not index:
        return Late(encoder, vectors)
    from dewpoint.search.indexes import Searcher

    return Late(encoder, vectors, Searcher(index, vars(settings.parameters)), settings.candidates)
