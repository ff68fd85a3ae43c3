"""`bm25`: BM25 as Pyserini has it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Inputs, Ranker, Resources
from dewpoint.study.kind import For
from dewpoint.study.sizes import of_core
from dewpoint.study.types import Share

if TYPE_CHECKING:
    from dewpoint.search.live import Live

INDEX = For("index")
# of one core, on a corpus of so many passages where it matters; measured
INDEXED, ANSWERED, ANSWERED_OF, POSTING_BYTES, DISTINCT = 15_000, 4_000, 170_000, 8, 0.6

Stemmer = Literal[  # what Snowball knows
    "none",
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "czech",
    "danish",
    "dutch",
    "dutch_porter",
    "english",
    "esperanto",
    "estonian",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "persian",
    "polish",
    "porter",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "sesotho",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
]


class Bm25(Ranker):
    """BM25 as Pyserini has it: Lucene's formula and English analyser."""

    resources: ClassVar[dict[str, Resources]] = {
        "index": Resources(mem_mb=16_000, runtime=240),
        "rank": Resources(mem_mb=16_000, runtime=240, threads="half"),
    }
    cites: ClassVar[tuple[str, ...]] = ("robertson2009bm25",)

    kind: Literal["bm25"]
    k1: Annotated[float, INDEX] = Field(0.9, ge=0, le=100, description="how much more a word counts that comes again")
    b: Annotated[Share, INDEX] = Field(0.4, description="how much less it counts in a longer passage")
    title: Annotated[bool, INDEX] = Field(True, description="title and text; false: the text alone")
    words: Annotated[Literal["standard", "plain"], INDEX] = Field(
        "standard", description="standard: Unicode's, so that os.path and a_b are one word; plain: letters and digits"
    )
    stop_words: Annotated[Literal["english", "none"], INDEX] = Field(
        "english", description="Lucene's 33 English words, or none"
    )
    stemmer: Annotated[Stemmer, INDEX] = Field(
        "porter", description="Snowball's; porter is the original one, english its successor"
    )

    def rank_settings(self, graph, split: str) -> dict:
        return super().rank_settings(graph, split) | {"split": split}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)], "index": [graph.index(name, dataset)]}

    def index_cost(self, sizes, dataset: str):
        passages = sizes.passages(dataset)
        words = sizes.graph.study.datasets[dataset].passage_words()
        return of_core(passages, INDEXED, passages * words * DISTINCT * POSTING_BYTES)

    def rank_cost(self, sizes, dataset: str, split: str):
        work = sizes.queries(dataset, split) * max(1, sizes.passages(dataset) / ANSWERED_OF)
        return super().rank_cost(sizes, dataset, split) + of_core(work, ANSWERED)


def index(artifact: Artifact, settings, dataset: Path) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.search import bm25

    bm25.build(artifact, Dataset(dataset), settings)


def rank(artifact: Artifact, settings, dataset: Path, index: Path, threads: int) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import RunWriter
    from dewpoint.progress import Progress
    from dewpoint.search import bm25

    queries, opened = Dataset(dataset).column(f"queries.{settings.split}", "text").to_pylist(), bm25.load(index.parent)
    progress = Progress(len(queries), "queries", rate="queries")
    with RunWriter(artifact) as file:
        for first in range(0, len(queries), bm25.QUERIES):
            block = queries[first : first + bm25.QUERIES]
            file.write(bm25.search(opened, block, settings.depth, threads, first))
            progress.add(len(block))


def latency(artifact: Artifact, settings, dataset: Path, index: Path) -> None:
    from dewpoint.search.latency import measure

    measure(artifact, settings, dataset, live(settings, index))


def live(settings, index: Path) -> "Live":
    import time

    from dewpoint.search import bm25

    loaded = bm25.load(index.parent)

    def answer(questions: list[str], depth: int):
        began = time.perf_counter()
        return bm25.search(loaded, questions, depth), {"search": time.perf_counter() - began}

    return answer
