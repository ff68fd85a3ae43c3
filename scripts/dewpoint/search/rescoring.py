"""The candidates of an index, scored again by the whole vectors: found by little, ranked by all.

A score is then that of exact search, an inner product summed in float64 and rounded once, and of the candidates the
best are kept, ties by passage row. So nothing is lost that is among the exact best and among the candidates. The whole
vectors lie beside the index as they are stored, memory-mapped, and only candidates' rows are read.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.appended import Appended
from dewpoint.data.runs import Run, ranked
from dewpoint.search import codes, indexes
from dewpoint.search.beginnings import Beginnings, shortened
from dewpoint.search.exact import products, search
from dewpoint.search.live import Dense, Live, Timed
from dewpoint.search.vectors import Vectors

WHOLE = "vectors.npy"
Search = Callable[[np.ndarray, int], Run]  # vectors of queries, how many passages of each


# --- built --------------------------------------------------------------------------------------


def write(artifact: Artifact, corpus: Vectors, settings, normalize: bool) -> None:
    """An index of the vectors or of their first dimensions, and with `rescored` the whole vectors beside it."""
    began, size, name = time.monotonic(), getattr(settings, "size", None), settings.index.name
    taken = Beginnings(corpus, size, normalize)
    if name in codes.NAMES:
        taking = codes.write(artifact.path, taken, name)
        facts = {"model": corpus.model, "factory": name, "passages": len(corpus), "dimension": taken.dimension}
        facts |= {"codes": name}
    else:
        index, facts = indexes.build(taken, settings.index, settings.seed, settings.threads)
        faiss.write_index(index, str(path := artifact.path(codes.INDEX)))
        taking = path.stat().st_size
    if size is not None:
        facts |= {"size": size, "normalized": normalize, "factory": f"{facts['factory']} of the first {size}"}
    if getattr(settings, "rescored", False):
        facts |= {"vectors_bytes": store(corpus, artifact.path(WHOLE))}
    artifact.facts |= facts | {"bytes": taking, "seconds": round(time.monotonic() - began, 2)}


def store(corpus: Vectors, path: Path) -> int:
    """The vectors one after another as they are stored, to be memory-mapped; how many bytes they are."""
    type = pq.read_schema(corpus.files[0]).field("vector").type.value_type.to_pandas_dtype()
    file = Appended(path, type)
    for _, block in corpus.blocks():
        file.append(block.ravel())
    file.close()
    return path.stat().st_size


# --- searched -----------------------------------------------------------------------------------


def runs(index: Path, queries: Vectors, settings, workspace: Path | None = None) -> Iterator[Run]:
    """The best `depth` passages of consecutive blocks of queries; of `rescore` candidates where there are such."""
    facts, many = read_manifest(index)["facts"], getattr(settings, "rescore", None)
    asked = Beginnings(queries, facts.get("size"), facts.get("normalized", False))
    if "codes" in facts:
        found = search(asked, codes.Codes(index), many or settings.depth, workspace=workspace)
    else:
        found = indexes.Searcher(index, vars(settings.parameters)).runs(asked, many or settings.depth)
    if not many:
        yield from found
        return
    whole = opened(index)
    for run in found:
        first, vectors = asked.shown  # the block that this run is of
        best = again(Run(run.query - first, run.passage, run.score), vectors, whole, settings.depth)
        yield Run(best.query + first, best.passage, best.score)


def opened(index: Path) -> np.ndarray:
    """The whole vectors beside an index, one after another."""
    return np.asarray(np.load(member(index, WHOLE), mmap_mode="r"))


def again(run: Run, queries: np.ndarray, whole: np.ndarray, depth: int) -> Run:
    """The best `depth` of a run's passages by whole vectors; its queries are rows of `queries`."""
    whole = whole.reshape(-1, queries.shape[1])
    order = np.argsort(run.passage, kind="stable")  # as they lie on the disk
    query, passage = run.query[order], run.passage[order]
    return ranked(query, passage, products(queries, query, whole, passage), depth)


def answering(encode: Callable[[list[str]], np.ndarray], index: Path, settings) -> Live:
    """Questions to an index that was built here."""
    facts, many = read_manifest(index)["facts"], getattr(settings, "rescore", None)
    find = codes.Codes(index) if "codes" in facts else indexes.Searcher(index, vars(settings.parameters))
    size, normalize = facts.get("size"), facts.get("normalized", False)

    def nearest(vectors: np.ndarray, depth: int) -> Run:
        return find(shortened(vectors, size, normalize), depth)

    return Rescoring(encode, nearest, opened(index), many) if many else Dense(encode, nearest)


@dataclass
class Rescoring:
    """Questions to vectors, these to candidates, and these in order by the whole vectors."""

    encode: Callable[[list[str]], np.ndarray]
    nearest: Search
    whole: np.ndarray
    many: int

    def __call__(self, questions: list[str], depth: int) -> Timed:
        began = time.perf_counter()
        vectors = self.encode(questions)
        encoded = time.perf_counter()
        run = self.nearest(vectors, max(self.many, depth))
        found = time.perf_counter()
        run = again(run, vectors, self.whole, depth)
        times = {"encode": encoded - began, "search": found - encoded, "score": time.perf_counter() - found}
        return run, times
