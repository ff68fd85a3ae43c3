"""`dense`: search by inner product over a model's vectors, exactly or by an index of FAISS."""

import difflib
import re
from collections.abc import Iterator
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Inputs, Ranker, Resources
from dewpoint.study.kind import For, Names, Strict
from dewpoint.study.sizes import Cost, of_core
from dewpoint.study.types import Count, Label

if TYPE_CHECKING:
    from dewpoint.search.live import Live

CRASHES = re.compile(r"(HNSW|NSG)[01](?!\d)|[A-Za-z]+0(?!\d)")
AT_SEARCH = For("search")  # parameters that can be changed once an index is built
SEARCHED = 0.03  # exact search's share of what a GPU sustains in training
ADDED = 50_000  # vectors of 768 that a core gives an index of lists or codes in a second; reckoned
GRAPH_ADDED = 500  # that it gives a graph of neighbours; reckoned
PROBED = 0.02  # share of the vectors that an index looks at; reckoned


# --- indexes ------------------------------------------------------------------------------------


class Flat(Strict):
    """Exact search."""

    name: Literal["flat"]


class Hnsw(Strict):
    """A graph of neighbours."""

    name: Literal["hnsw"]
    M: Count = Field(32, ge=2, le=1024, description="neighbours of a passage")
    efConstruction: Count = Field(200, description="candidates looked at for a new passage's neighbours")
    efSearch: Annotated[Count, AT_SEARCH] = Field(128, description="candidates looked at for a query")


class Trained(Strict):
    sample: Count | None = Field(
        None, description="passages drawn at random to train on; left out: 65,536, or 64 a list if that is more"
    )


class Ivf(Trained):
    """Lists of passages around centroids, the nearest of which are searched."""

    name: Literal["ivf"]
    nlist: Count | None = Field(None, description="lists; left out: a power of two, two to four times √passages")
    nprobe: Annotated[Count, AT_SEARCH] = Field(32, description="lists searched for a query")


class Pq(Trained):
    """Vectors in a few bytes each, by product quantisation."""

    name: Literal["pq"]
    bytes: Count | None = Field(None, description="of a vector, a divisor of its dimension; left out: about an eighth")


class IvfPq(Pq, Ivf):
    """Lists of vectors in a few bytes each."""

    name: Literal["ivf-pq"]


class Sq8(Trained):
    """A byte for each dimension."""

    name: Literal["sq8"]


def buildable(factory: str) -> str:
    """Without what FAISS answers with a crash in place of a message."""
    if found := CRASHES.search(factory):
        raise ValueError(f"'{found[0]}' in it cannot be built; a graph's nodes have at least 2 neighbours")
    return factory


class Factory(Trained):
    """Any index that FAISS can name."""

    name: Literal["factory"]
    factory: Annotated[str, AfterValidator(buildable)] = Field(
        description="FAISS's factory string, such as OPQ16_64,IVF1024,PQ16"
    )
    search: Annotated[dict[str, float], AT_SEARCH] = Field(
        {}, description="FAISS's search parameters, such as {nprobe: 32}"
    )


INDEXES = {"flat": Flat, "hnsw": Hnsw, "ivf": Ivf, "ivf-pq": IvfPq, "pq": Pq, "sq8": Sq8, "factory": Factory}
COMPONENTS = re.compile(r"^[A-Z]\w*(\(.*\))?(,[A-Z]\w*(\(.*\))?)*$")  # FAISS's all begin with a capital letter


def _named(index: Any) -> Any:
    """An index as a mapping, also where the study has just a name or a factory string."""
    if not isinstance(index, str):
        return index
    if index in INDEXES:
        return {"name": index}
    if not COMPONENTS.match(index):
        close = difflib.get_close_matches(index, INDEXES, 1, 0.5)
        nearest = f"; did you mean '{close[0]}'?" if close else ""
        known = ", ".join(name for name in INDEXES if name != "factory")
        raise ValueError(f"unknown index '{index}', write {known} or a factory string of FAISS{nearest}")
    return {"name": "factory", "factory": index}


AnyIndex = Flat | Hnsw | Ivf | IvfPq | Pq | Sq8 | Factory
Index = Annotated[AnyIndex, Field(discriminator="name"), BeforeValidator(_named, str | AnyIndex)]


class Dense(Ranker):
    """Search by inner product over a model's vectors. Every retriever is one of its own name."""

    resources: ClassVar[dict[str, Resources]] = {
        "index": Resources(mem_mb=32_000, runtime=240, threads="half"),
        "rank": Resources(mem_mb=4000, runtime=240, threads="half", gpu=1),
        "probe": Resources(mem_mb=32_000, runtime=240, threads="half"),
        "latency": Resources(mem_mb=32_000, runtime=120, threads="all", gpu=1),
    }

    kind: Literal["dense"]
    model: Annotated[Label, Names("models")] = Field(description="whose vectors are searched")
    index: Annotated[Index, For("index")] = Field(
        Flat(name="flat"), description="flat is exact; others are faster and may miss passages"
    )

    @property
    def approximate(self) -> bool:
        return self.index.name != "flat"

    def function(self, stage: str) -> str | None:
        if stage == "index":
            return "index" if self.approximate else None
        return "probe" if stage == "rank" and self.approximate else super().function(stage)

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        model = study.models[self.model]
        if model.pairs:
            yield "model", f"'{self.model}' gives no vectors but scores of pairs; rank with it by kind: rerank"
        lengths = {"passage_length": model.passage_length, "query_length": model.query_length}
        yield from (("model", f"{key} of '{self.model}': {wrong}") for key, wrong in study.too_long(model, lengths))

    def implied(self) -> dict[str, Ranker]:
        """Exact search of the model, which an index is compared with."""
        return {self.model: Dense(kind="dense", model=self.model)} if self.approximate else {}

    def exact(self, study) -> str | None:
        """The deepest of those that search the model's vectors exactly."""
        if not self.approximate:
            return None
        of_model = {
            name: ranker for name, ranker in study.rankers.items() if getattr(ranker, "model", "") == self.model
        }
        return max(
            (name for name, ranker in of_model.items() if not ranker.approximate), key=lambda n: of_model[n].depth
        )

    @property
    def parameters(self) -> dict[str, float]:
        """FAISS's parameters of a search."""
        parameters = self.index.settings("search")
        return parameters | parameters.pop("search", {})

    def index_settings(self, config) -> dict[str, Any]:
        """What an index is built with; parameters of its search do not build it anew."""
        return {"index": self.index.settings("work"), "seed": config.seed, "threads": config.threads}

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return {"depth": self.depth} | ({"parameters": self.parameters} if self.approximate else {})

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        node = graph.study.models[self.model]
        how = {"query_length": node.query_length, "query_prefix": node.query_prefix}
        how |= {"precision": graph.config.precision, "parameters": self.parameters}
        return super().latency_settings(graph, split) | how

    def index_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return {"corpus": graph.embeddings(self.model, dataset, "corpus")}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        queries = graph.embeddings(self.model, dataset, f"queries.{split}")
        return {"queries": queries} | self._searched(graph, name, dataset)

    def live_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return {"model": [graph.model(self.model)]} | self._searched(graph, name, dataset)

    def _searched(self, graph, name: str, dataset: str) -> Inputs:
        if self.approximate:
            return {"index": [graph.index(name, dataset)]}
        return {"corpus": graph.embeddings(self.model, dataset, "corpus")}

    def small(self) -> dict[str, Any]:
        given = self.index.model_dump()
        few = {"nlist": min(given.get("nlist") or 4, 4), "bytes": gcd(given.get("bytes") or 8, 8)}
        few |= {"sample": None, "factory": "Flat", "search": {}}
        few = {key: value for key, value in few.items() if key in given}
        return {"index": self.index.model_copy(update=few)}

    def index_cost(self, sizes, dataset: str) -> Cost:
        passages, (_, width) = sizes.passages(dataset), sizes.shape(self.model)
        graph = self.index.name == "hnsw" or "HNSW" in getattr(self.index, "factory", "")
        return of_core(passages * width / 768, GRAPH_ADDED if graph else ADDED, passages * width * 4)

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        queries, passages = sizes.queries(dataset, split), sizes.passages(dataset)
        products = 2 * queries * passages * sizes.shape(self.model)[1] / SEARCHED
        return super().rank_cost(sizes, dataset, split) + Cost(products * (PROBED if self.approximate else 1))


def index(artifact: Artifact, settings, corpus: list[Path]) -> None:
    import time

    import faiss

    from dewpoint.search import indexes
    from dewpoint.search.vectors import Vectors

    began, path = time.monotonic(), artifact.path("index.faiss")
    built, facts = indexes.build(Vectors(corpus), settings.index, settings.seed, settings.threads)
    faiss.write_index(built, str(path))
    artifact.facts |= facts | {"bytes": path.stat().st_size, "seconds": round(time.monotonic() - began, 2)}


def rank(artifact: Artifact, settings, queries: Path, corpus: list[Path]) -> None:
    from dewpoint.data.runs import RunWriter
    from dewpoint.search import exact
    from dewpoint.search.vectors import Vectors

    with RunWriter(artifact) as file:
        for found in exact.search(Vectors([queries]), Vectors(corpus), settings.depth):
            file.write(found)


def probe(artifact: Artifact, settings, queries: Path, index: Path) -> None:
    """Rank by the index."""
    from dewpoint.data.runs import RunWriter
    from dewpoint.search.indexes import Searcher
    from dewpoint.search.vectors import Vectors

    with RunWriter(artifact) as file:
        for found in Searcher(index, vars(settings.parameters)).runs(Vectors([queries]), settings.depth):
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
    from dewpoint.search import indexes
    from dewpoint.search.encode import QuestionEncoder
    from dewpoint.search.live import Dense as Answering
    from dewpoint.search.vectors import Vectors

    encoder = QuestionEncoder(model.parent, settings.query_length, settings.query_prefix, precision, device)
    search = indexes.Searcher(index, vars(settings.parameters)) if index else indexes.in_memory(Vectors(corpus))
    return Answering(encoder, search)
