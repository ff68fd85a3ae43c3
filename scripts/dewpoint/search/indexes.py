"""Approximate indexes, by FAISS: built from a name or a factory string, memory-mapped when they are searched.

Graphs (HNSW, NSG) need a distance. An inner product becomes one with a further dimension that makes all passages as
long as the longest, Φ:  p' = (p, √(Φ² - |p|²)),  q' = (q, 0),  |q' - p'|² = |q|² + Φ² - 2 q·p.
"""

import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.runs import Run, ranked
from dewpoint.errors import UserError
from dewpoint.progress import Progress
from dewpoint.search.vectors import Vectors, refuse_another_model

GRAPH = re.compile(r"(^|,)(HNSW|NSG)\d")
PIECE = 65_536  # passages added at once
HELD = 2**26  # scores of queries held at once
NOISE = re.compile(r"^.*(\.cpp:\d+: |failed: )", re.DOTALL)  # what FAISS's errors begin with
EACH, LEAST = 64, 65_536  # passages that an index is trained on: for each of its lists, and at least


def factory(wanted, passages: int, dimension: int) -> str:
    """FAISS's name of what a study wants, for so many passages."""

    def lists() -> int:
        return wanted.nlist or 2 ** int(math.log2(4 * math.sqrt(passages)))

    def code() -> int:
        return wanted.bytes or math.gcd(dimension, 2 ** max(0, round(math.log2(dimension / 8))))

    match wanted.name:
        case "hnsw":
            return f"HNSW{wanted.M},Flat"
        case "ivf":
            return f"IVF{lists()},Flat"
        case "ivf-pq":
            return f"IVF{lists()},PQ{code()}"
        case "pq":
            return f"PQ{code()}"
        case "sq8":
            return "SQ8"
        case "factory":
            return wanted.factory


def write(artifact: Artifact, corpus: Vectors, settings) -> None:
    """The index of a corpus as index.faiss, with what it took to build it."""
    began, path = time.monotonic(), artifact.path("index.faiss")
    built, facts = build(corpus, settings.index, settings.seed, settings.threads)
    faiss.write_index(built, str(path))
    artifact.facts |= facts | {"bytes": path.stat().st_size, "seconds": round(time.monotonic() - began, 2)}


def build(corpus: Vectors, wanted, seed: int, threads: int) -> tuple[faiss.Index, dict]:
    """The index of a corpus, trained on passages drawn at random, and what is to be known of it."""
    name, longest = factory(wanted, len(corpus), corpus.dimension), None
    if GRAPH.search(name):
        longest = max(float(np.einsum("ij,ij->i", block, block).max()) for _, block in corpus.blocks())
    try:
        if longest is None:
            index = faiss.index_factory(corpus.dimension, name, faiss.METRIC_INNER_PRODUCT)
        else:
            index = faiss.index_factory(corpus.dimension + 1, name, faiss.METRIC_L2)
        if wanted.name == "hnsw":
            index.hnsw.efConstruction = wanted.efConstruction
        index = on_gpu(index)
        if not index.is_trained:
            lists = re.search(r"IVF(\d+)", name)
            count = wanted.sample or max(LEAST, EACH * int(lists[1]) if lists else 0)
            free = faiss.omp_get_max_threads()
            faiss.omp_set_num_threads(threads)  # sums depend on their number
            index.train(lengthened(sample(corpus, count, seed), longest))
            faiss.omp_set_num_threads(free)
        progress = Progress(len(corpus), "passages", rate="passages")
        for _, block in corpus.blocks(PIECE):
            index.add(lengthened(block, longest))
            progress.add(len(block))
    except RuntimeError as error:
        said = NOISE.sub("", str(error)).strip()
        place = f"index {name} of {len(corpus):,} passages, {corpus.dimension} dimensions"
        raise UserError(f"{place}: {said}") from None
    facts = {"model": corpus.model, "factory": name, "passages": len(corpus), "dimension": corpus.dimension}
    return on_cpu(index), facts | {"longest": longest}


def sample(corpus: Vectors, count: int, seed: int) -> np.ndarray:
    rows = np.arange(len(corpus))
    if count < len(corpus):
        rows = np.sort(np.random.default_rng(seed).choice(len(corpus), count, replace=False))
    within = (block[rows[(rows >= first) & (rows < first + len(block))] - first] for first, block in corpus.blocks())
    return np.concatenate(list(within))


def lengthened(passages: np.ndarray, longest: float | None) -> np.ndarray:
    """Passages with a further dimension, when `longest` = Φ² is given."""
    if longest is None:
        return passages
    missing = longest - np.einsum("ij,ij->i", passages, passages)
    return np.column_stack([passages, np.sqrt(np.maximum(missing, 0))])


def on_gpu(index: faiss.Index) -> faiss.Index:
    """The index on a GPU, when FAISS has one and the index a form for it."""
    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        return index
    try:
        return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    except RuntimeError:
        return index


def on_cpu(index: faiss.Index) -> faiss.Index:
    return faiss.index_gpu_to_cpu(index) if "Gpu" in type(index).__name__ else index


def in_memory(corpus: Vectors) -> Callable[[np.ndarray, int], Run]:
    """Exact search of all vectors, held in memory to answer quickly."""
    index = on_gpu(faiss.IndexFlatIP(corpus.dimension))
    for _, block in corpus.blocks(PIECE):
        index.add(block)
    return lambda queries, depth: as_run(*index.search(queries, min(depth, index.ntotal))[::-1], depth)


class Searcher:
    """A built index, ready to be searched."""

    def __init__(self, manifest: Path, parameters: dict[str, float]):
        self.manifest, facts = manifest, read_manifest(manifest)["facts"]
        self.model, self.longest = facts["model"], facts["longest"]
        self.index = faiss.read_index(str(member(manifest, "index.faiss")), faiss.IO_FLAG_MMAP_IFC)
        for name, value in parameters.items():
            try:
                faiss.ParameterSpace().set_index_parameter(self.index, name, value)
            except RuntimeError:
                raise UserError(f"{manifest}: index {facts['factory']} has no search parameter '{name}'") from None

    def __call__(self, queries: np.ndarray, depth: int) -> Run:
        """The best passages that the index finds, at most `depth` a query."""
        if self.longest is not None:
            queries = np.column_stack([queries, np.zeros(len(queries), np.float32)])
        score, passage = self.index.search(np.ascontiguousarray(queries), min(depth, self.index.ntotal))
        if self.longest is not None:
            score = (np.einsum("ij,ij->i", queries, queries)[:, None] + self.longest - score) / 2
        return as_run(passage, score, depth)

    def runs(self, queries: Vectors, depth: int) -> Iterator[Run]:
        refuse_another_model(queries.manifests[0], queries.model, self.manifest, self.model)
        progress = Progress(len(queries), "queries", rate="queries")
        for first, vectors in queries.blocks(max(1, HELD // (4 * depth))):
            run = self(vectors, depth)
            progress.add(len(vectors))
            yield Run(run.query + first, run.passage, run.score)


def as_run(passage: np.ndarray, score: np.ndarray, depth: int) -> Run:
    """The run in FAISS's answer, where a row of -1 is none."""
    found = passage >= 0
    return ranked(np.nonzero(found)[0], passage[found], score[found], depth)
