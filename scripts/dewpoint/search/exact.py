"""Exact search: every query's best passages by inner product, streamed over a corpus of any size.

A score is the inner product of two stored vectors, summed in float64 and rounded once. So it is a function of the two
alone, and a run does not depend on shards, blocks, threads, the device or the library. It is found in three looks:

1. quick: products in float32, a block of passages at a time, give some more candidates than are wanted;
2. precise: the candidates' scores are computed from their vectors;
3. thorough, for queries whose candidates might not hold all of the best, because float32 is that inexact or because
   more passages tie than there are candidates: all passages that come within reach are scored precisely.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dewpoint.data.kept import keep, kept
from dewpoint.data.runs import COLUMNS, NOTHING, SCHEMA, Run, ranked
from dewpoint.progress import Progress
from dewpoint.search.vectors import Vectors, refuse_another_model

SPARE = 32  # candidates beyond the depth, and an eighth of it
ROUNDING = 2.0**-24  # of a float32, relative
HELD = 2**28  # bytes of candidates, and as much of scores, held at once
PAIRS = 4096  # scored at once, so that their vectors stay in the cache
ROWS = 16_384  # passages of a thorough look
MOST_ON_GPU = 2048  # candidates of a query that FAISS finds on a GPU

Blocks = Iterator[tuple[int, np.ndarray]]
Nearest = Callable[[np.ndarray, Blocks, int], tuple[np.ndarray, np.ndarray]]


def search(
    queries: Vectors,
    corpus: Vectors,
    depth: int,
    nearest: Nearest | None = None,
    block: int | None = None,
    workspace: Path | None = None,
) -> Iterator[Run]:
    """The best `depth` passages of consecutive blocks of queries; ties rank by passage row.

    Where there are several blocks, those that are done lie in the workspace, and are not searched for again.
    """
    refuse_another_model(queries.manifests[0], queries.model, corpus.manifests[0], corpus.model)
    wanted = min(depth + depth // 8 + SPARE, len(corpus))
    size = max(1, HELD // (24 * wanted))
    progress = Progress(len(corpus) * -(-len(queries) // size), "passages", rate="passages")
    keeps = workspace is not None and size < len(queries)
    if keeps:
        workspace.mkdir(parents=True, exist_ok=True)
    for first, vectors in queries.blocks(size):
        path = workspace / f"{size}-{first:09d}.parquet" if keeps else None
        if path and (done := kept(path, SCHEMA)) is not None:
            progress.add(len(corpus))
            yield Run(*(done[name].to_numpy() for name in COLUMNS))
            continue
        run = search_block(vectors, corpus, depth, wanted, nearest or pick(), block, progress)
        run = Run((run.query + first).astype(np.int32), run.passage.astype(np.int32), run.score)
        if path:
            keep(path, run.table)
        yield run


def search_block(
    queries: np.ndarray,
    corpus: Vectors,
    depth: int,
    wanted: int,
    nearest: Nearest,
    block: int | None,
    progress: Progress,
) -> Run:
    """The best `depth` passages of each query, out of `wanted` candidates where these suffice."""
    depth, queries, about = min(depth, len(corpus)), queries.astype(np.float32), Centre()
    score, passage = nearest(queries, about.moved(corpus.blocks(block), progress), wanted)
    shift = queries.astype(np.float64) @ about.centre
    reach = score.min(1) + shift  # no other passage's score in float32 is above
    passage = np.sort(passage, axis=1)
    score = np.empty(passage.shape, np.float32)
    for first, vectors in corpus.blocks(block):
        query, at = np.nonzero((passage >= first) & (passage < first + len(vectors)))
        score[query, at] = products(queries, query, vectors, passage[query, at] - first)
    order = np.argsort(-score, axis=1, kind="stable")[:, :depth]
    score, passage = np.take_along_axis(score, order, 1), np.take_along_axis(passage, order, 1)
    least = score[:, -1].astype(np.float64)
    error = about.error(np.linalg.norm(queries, axis=1)) + 4 * ROUNDING * np.abs(least)
    doubtful = np.flatnonzero((reach + error >= least) & (wanted < len(corpus)))
    if len(doubtful):
        floor = (least - error - shift)[doubtful]
        run = thorough(queries[doubtful], corpus, about.centre, floor, depth, block)
        score[doubtful], passage[doubtful] = (x.reshape(len(doubtful), depth) for x in (run.score, run.passage))
    return Run(np.repeat(np.arange(len(queries)), depth), passage.ravel(), score.ravel())


@dataclass
class Centre:
    """Where the vectors lie. Moved there they are shorter, the more so the more they are alike: float32 rounds less."""

    centre: np.ndarray | None = None  # about
    longest: float = 0.0  # of the moved vectors

    def moved(self, blocks: Blocks, progress: Progress) -> Blocks:
        for first, vectors in blocks:
            if self.centre is None:
                self.centre = vectors.mean(0)
            vectors -= self.centre
            self.longest = max(self.longest, float(np.einsum("ij,ij->i", vectors, vectors).max()) ** 0.5)
            yield first, vectors
            progress.add(len(vectors))

    def error(self, lengths: np.ndarray) -> np.ndarray:
        """At most, for queries of these lengths: the moved part's in float32, the rest's in float64."""
        return (len(self.centre) + 4) * ROUNDING * lengths * (self.longest + ROUNDING * np.linalg.norm(self.centre))


def thorough(
    queries: np.ndarray, corpus: Vectors, centre: np.ndarray, floor: np.ndarray, depth: int, block: int | None
) -> Run:
    """The best `depth` of all passages whose moved score in float32 is at least their query's `floor`."""
    best, step = NOTHING, max(1, HELD // (4 * ROWS))
    for first, vectors in corpus.blocks(block):
        for row in range(0, len(vectors), ROWS):
            near = vectors[row : row + ROWS] - centre
            for start in range(0, len(queries), step):
                some = slice(start, start + step)
                query, passage = np.nonzero(queries[some] @ near.T >= floor[some, None])
                query, passage = query + start, passage + row
                score = products(queries, query, vectors, passage)
                found = zip((best.query, best.passage, best.score), (query, passage + first, score), strict=True)
                best = ranked(*map(np.concatenate, found), depth)
    return best


def products(queries: np.ndarray, query: np.ndarray, passages: np.ndarray, passage: np.ndarray) -> np.ndarray:
    """float32 inner products of pairs of rows, exact but for the last rounding."""
    score = np.empty(len(query), np.float32)

    def part(start: int) -> None:
        pairs = slice(start, start + PAIRS)
        score[pairs] = np.einsum("ij,ij->i", queries[query[pairs]], passages[passage[pairs]], dtype=np.float64)

    with ThreadPoolExecutor() as pool:
        list(pool.map(part, range(0, len(query), PAIRS)))
    return score


# --- the quick look: scores and rows [queries, wanted], in any order ----------------------------


def pick() -> Nearest:
    """FAISS where it is installed, torch else."""
    try:
        import faiss  # noqa: F401
    except ImportError:
        return by_torch
    return by_faiss


def by_faiss(queries: np.ndarray, blocks: Blocks, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    import faiss

    found, knn = None, _knn(wanted)
    for first, vectors in blocks:
        score, passage = knn(queries, vectors, wanted)
        passage[passage >= 0] += first  # those of a small block are filled up with -1
        if found:
            both = (np.stack(pair) for pair in zip(found, (score, passage), strict=True))
            found = faiss.merge_knn_results(*both, keep_max=True)
        else:
            found = score, passage
    return found


def _knn(wanted: int) -> Callable:
    import faiss

    if not faiss.get_num_gpus() or wanted > MOST_ON_GPU:
        return lambda *of: faiss.knn(*of, metric=faiss.METRIC_INNER_PRODUCT)
    resources = faiss.StandardGpuResources()
    return lambda *of: faiss.knn_gpu(resources, *of, metric=faiss.METRIC_INNER_PRODUCT)


def by_torch(queries: np.ndarray, blocks: Blocks, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    import torch

    from dewpoint.models.device import take_device

    device = take_device()
    queries = torch.from_numpy(queries).to(device)
    score = torch.full((len(queries), wanted), -torch.inf, device=device)
    passage = torch.full(score.shape, -1, device=device)
    for first, vectors in blocks:
        vectors = torch.from_numpy(vectors).to(device)
        step = max(1, HELD // (4 * len(vectors)))
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            best, at = (queries[part] @ vectors.T).topk(min(wanted, len(vectors)))
            best, at = torch.cat([score[part], best], 1), torch.cat([passage[part], at + first], 1)
            score[part], kept = best.topk(wanted)
            passage[part] = at.gather(1, kept)
    return score.cpu().numpy(), passage.cpu().numpy()
