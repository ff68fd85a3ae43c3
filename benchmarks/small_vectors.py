"""What smaller vectors cost and lose: milliseconds, bytes and recall, with candidates scored again and without.

Generated vectors are of length one, in 2,000 clusters around one mean. Between clusters and within them variance
falls by the dimension as 1 / (1 + i), and all is turned at random, so that no stored dimension says more than another.
A query is a passage with noise. They are like an encoder's in that, and in nothing else: take your own.

Milliseconds are one core's: FAISS has one thread, and counted is what the processor was busy, not what it waited.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np

CLUSTERS, MEAN, WITHIN, NOISE = 2000, 0.4, 0.7, 0.7
DEPTH, BATCH, ALONE = 100, 100, 200  # passages of a query, queries at once, queries one at a time
CANDIDATES = (200, 1000)
SHOWN = ("index", "scored again", "ms a query, alone", f"ms a query, of {BATCH}", "MB", "MB of whole vectors", "R@100")


def generated(passages: int, dimension: int, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """float16 passages and float32 queries."""
    rng = np.random.default_rng(0)
    spectrum = (1 / np.sqrt(1 + np.arange(dimension))).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0].astype(np.float32)

    def drawn(rows: int) -> np.ndarray:
        return rng.standard_normal((rows, dimension), np.float32) * spectrum

    centres, mean = drawn(CLUSTERS), MEAN * drawn(1)

    def finished(vectors: np.ndarray) -> np.ndarray:
        vectors = vectors @ turn
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    found = np.empty((passages, dimension), np.float16)
    asked = np.empty((queries, dimension), np.float32)
    of, wanted = rng.integers(0, CLUSTERS, passages), np.sort(rng.choice(passages, queries, replace=False))
    for first in range(0, passages, 50_000):
        rows = slice(first, min(first + 50_000, passages))
        vectors = mean + centres[of[rows]] + WITHIN * drawn(rows.stop - first)
        found[rows] = finished(vectors)
        some = np.flatnonzero((wanted >= first) & (wanted < rows.stop))
        asked[some] = finished(vectors[wanted[some] - first] + NOISE * drawn(len(some)))
    return found, asked


def measured(folder: Path, passages: np.ndarray, asked: np.ndarray) -> Iterator[dict]:
    """A row for each index, its candidates scored again or not."""
    import faiss

    from dewpoint.artifact import Artifact, read_manifest
    from dewpoint.search import exact, indexes, rescoring
    from dewpoint.search.vectors import Vectors, VectorWriter

    def stored(name: str, vectors: np.ndarray) -> Vectors:
        artifact = Artifact(folder / f"{name}-0of1.json")
        with VectorWriter(artifact.beside(".parquet"), vectors.shape[1], vectors.dtype) as file:
            for first in range(0, len(vectors), 65_536):
                file.write(vectors[first : first + 65_536])
        rows = {"first": 0, "rows": len(vectors), "of": len(vectors)}
        artifact.facts |= {"model": "generated", "dimension": vectors.shape[1], **rows}
        artifact.seal()
        return Vectors([artifact.manifest])

    threads = faiss.omp_get_max_threads()
    corpus, queries = stored("corpus", passages), stored("queries", asked)
    best = np.concatenate([run.passage for run in exact.search(queries, corpus, DEPTH)]).reshape(len(asked), -1)

    def row(name: str, many: int | None, find: Callable, size: float, whole: float | None) -> dict:
        faiss.omp_set_num_threads(1)
        find(asked[:1], DEPTH)
        alone = seconds(lambda: [find(asked[at : at + 1], DEPTH) for at in range(min(ALONE, len(asked)))])
        parts = [asked[first : first + BATCH] for first in range(0, len(asked), BATCH)]
        found: list = []
        took = seconds(lambda: found.extend(find(part, DEPTH) for part in parts))
        faiss.omp_set_num_threads(threads)
        hits = 0
        for run, expected in zip(found, np.split(best, range(BATCH, len(best), BATCH)), strict=True):
            hits += sum(np.isin(run.passage[run.query == at], of).sum() for at, of in enumerate(expected))
        figures = 1000 * alone / min(ALONE, len(asked)), 1000 * took / len(asked), size / 1e6
        share = float(hits / best.size)
        return dict(zip(SHOWN, (name, many, *figures, whole and whole / 1e6, share), strict=True))

    yield row("float32, as exact search answers", None, indexes.in_memory(corpus), 4.0 * passages.size, None)
    for name, wanted in INDEXES.items():
        artifact = Artifact(folder / name / "manifest.json")
        rescoring.write(artifact, corpus, SimpleNamespace(index=wanted, rescored=True, seed=1, threads=2), False)
        artifact.seal()
        facts = read_manifest(artifact.manifest)["facts"]
        print(f"{name}: built in {facts['seconds']:.1f} s", flush=True)
        for many in (None, *CANDIDATES):
            parameters = SimpleNamespace(**({"efSearch": 128} if name == "hnsw" else {}))
            how = SimpleNamespace(rescore=many, parameters=parameters)
            answer = rescoring.answering(np.asarray, artifact.manifest, how)
            whole = facts["vectors_bytes"] if many else None
            yield row(name, many, lambda *asked, answer=answer: answer(*asked)[0], facts["bytes"], whole)


INDEXES = {name: SimpleNamespace(name=name) for name in ("float16", "int8", "bits")}
INDEXES["hnsw"] = SimpleNamespace(name="hnsw", M=32, efConstruction=200)


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def shown(row: dict) -> str:
    """A row of a table in Markdown."""
    digits = {"R@100": 3}
    values = ((digits.get(name, 2), "" if value is None else value) for name, value in row.items())
    return f"| {' | '.join(f'{of:,.{few}f}' if isinstance(of, float) else str(of) for few, of in values)} |"
