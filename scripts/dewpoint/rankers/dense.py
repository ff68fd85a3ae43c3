"""`dense`: search by inner product over a model's vectors, exactly or by an index of FAISS."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dewpoint.artifact import Artifact
from dewpoint.rankers._small_vectors import SearchesSmallVectors
from dewpoint.study.bases import Resources
from dewpoint.study.sizes import Cost

if TYPE_CHECKING:
    from dewpoint.search.live import Live

log = logging.getLogger(__name__)

SEARCHED = 0.03  # exact search's share of what a GPU sustains in training
PROBED = 0.02  # share of the vectors that an index looks at; reckoned


class Dense(SearchesSmallVectors):
    """Search by inner product over a model's vectors. Every retriever is one of its own name."""

    resources: ClassVar[dict[str, Resources]] = {
        "index": Resources(mem_mb=32_000, runtime=240, threads="half"),
        "rank": Resources(mem_mb=4000, runtime=240, threads="half", gpu=1),
        "probe": Resources(mem_mb=32_000, runtime=240, threads="half"),
        "pack": Resources(mem_mb=32_000, runtime=240, threads="half"),
        "scan": Resources(mem_mb=8000, runtime=240, threads="half", gpu=1),
        "refine": Resources(mem_mb=32_000, runtime=240, threads="half"),
        "latency": Resources(mem_mb=32_000, runtime=120, threads="all", gpu=1),
    }

    kind: Literal["dense"]

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        model = study.models[self.model]
        if model.pairs:
            yield "model", f"'{self.model}' gives no vectors but scores of pairs; rank with it by kind: rerank"
        if model.several:
            yield "model", f"'{self.model}' gives a vector for each token; rank with it by kind: late-interaction"

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        queries, passages = sizes.queries(dataset, split), sizes.passages(dataset)
        products = 2 * queries * passages * sizes.shape(self.model)[1] * self._share(sizes) / SEARCHED
        return super().rank_cost(sizes, dataset, split) + Cost(products * (1 if self.coded else PROBED))


def index(artifact: Artifact, settings, corpus: list[Path]) -> None:
    from dewpoint.search import indexes
    from dewpoint.search.vectors import Vectors

    indexes.write(artifact, Vectors(corpus), settings)


def rank(artifact: Artifact, settings, queries: Path, corpus: list[Path]) -> None:
    from dewpoint.data.runs import RunWriter
    from dewpoint.search import exact
    from dewpoint.search.vectors import Vectors

    workspace = artifact.workspace()
    with RunWriter(artifact) as file:
        for found in exact.search(Vectors([queries]), Vectors(corpus), settings.depth, workspace=workspace):
            file.write(found)
    artifact.finished = workspace


def probe(artifact: Artifact, settings, queries: Path, index: Path) -> None:
    """Rank by the index."""
    from dewpoint.data.runs import RunWriter
    from dewpoint.search.indexes import Searcher
    from dewpoint.search.vectors import Vectors

    with RunWriter(artifact) as file:
        for found in Searcher(index, vars(settings.parameters)).runs(Vectors([queries]), settings.depth):
            file.write(found)


def pack(artifact: Artifact, settings, corpus: list[Path], model: Path | None) -> None:
    """An index of codes or of first dimensions, or one whose candidates are scored again."""
    from dewpoint.artifact import read_manifest
    from dewpoint.search import rescoring
    from dewpoint.search.vectors import Vectors

    made = read_manifest(model)["facts"] if model else {}
    if model and settings.size not in made.get("sizes", ()):
        log.warning("warning: %s says nothing of vectors of %d dimensions", model.parent, settings.size)
    rescoring.write(artifact, Vectors(corpus), settings, made.get("normalized", False))


def scan(artifact: Artifact, settings, queries: Path, index: Path) -> None:
    """Rank by the codes of all passages; blocks of queries that are done are kept."""
    artifact.finished = artifact.workspace()
    _write_rescored(artifact, settings, queries, index, artifact.finished)


def refine(artifact: Artifact, settings, queries: Path, index: Path) -> None:
    """Rank by an index of FAISS, of first dimensions or with candidates scored again."""
    _write_rescored(artifact, settings, queries, index)


def _write_rescored(artifact: Artifact, settings, queries: Path, index: Path, workspace: Path | None = None) -> None:
    from dewpoint.data.runs import RunWriter
    from dewpoint.search import rescoring
    from dewpoint.search.vectors import Vectors

    with RunWriter(artifact) as file:
        for found in rescoring.runs(index, Vectors([queries]), settings, workspace):
            file.write(found)


def latency(artifact: Artifact, settings, dataset: Path, model: Path, corpus: list[Path], index: Path | None) -> None:
    from dewpoint.models.device import take_device
    from dewpoint.search.latency import measure

    measure(artifact, settings, dataset, live(settings, model, corpus, index, settings.precision, take_device()))


def live(
    settings,
    model: Path,
    corpus: list[Path],
    index: Path | None,
    precision: str = "float32",
    device: str = "cpu",
) -> "Live":
    from dewpoint.data.tokens import query_reading
    from dewpoint.search import indexes, rescoring
    from dewpoint.search.encode import QuestionEncoder
    from dewpoint.search.live import Dense as Answering
    from dewpoint.search.vectors import Vectors

    how = {"precision": precision, "device": device, "cut": query_reading(settings)["cut"]}
    encoder = QuestionEncoder(model.parent, settings.query_length, settings.query_prefix, **how)
    if index:
        return rescoring.answering(encoder, index, settings)
    return Answering(encoder, indexes.in_memory(Vectors(corpus)))
