"""Late interaction: a query's score of a passage is the sum, over its vectors, of the nearest passage vector's product.

    s(q, p) = Σ_i max_j  q_i · p_j

Products are summed in float64 and a score is rounded once, so it does not depend on blocks or shards. Where an index of
all passages' vectors proposes candidates, the passages of those that are near to any of a query's vectors, only which
passages are scored is approximate: the scores are exact.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dewpoint.data.runs import NOTHING, Run, ranked
from dewpoint.data.tokens import ragged_range
from dewpoint.progress import Progress
from dewpoint.search.vectors import Vectors, cuts, refuse_another_model

MULTIPLIED = 4096  # vectors of each side at once
ASKED = 2**18  # query vectors whose candidates are held at once

Blocks = Iterator[tuple[int, np.ndarray, np.ndarray]]  # as `Vectors.token_blocks` gives them


def search(queries: Vectors, corpus: Vectors, depth: int, block: int | None = None) -> Iterator[Run]:
    """The best `depth` passages of consecutive blocks of queries; ties rank by passage row."""
    refuse_another_model(queries.manifests[0], queries.model, corpus.manifests[0], corpus.model)
    progress = Progress(len(queries) * len(corpus), "pairs", rate="pairs")
    for first, asked, starts in queries.token_blocks(block):
        run = best(asked, starts, corpus.token_blocks(block), depth, progress)
        yield Run(run.query + first, run.passage, run.score)


def best(asked: np.ndarray, starts: np.ndarray, blocks: Blocks, depth: int, progress: Progress | None = None) -> Run:
    """The best `depth` of all passages in `blocks`, of queries whose vectors begin at `starts`."""
    counts, found = np.diff(starts), NOTHING
    least = np.full(len(counts), -np.inf, np.float32)
    for row, shown, of in blocks:
        score = max_sim(asked, counts, shown, np.diff(of))
        query, passage = np.nonzero(score > least[:, None])  # an equal score of a later row ranks below
        more = (query, passage + row, score[query, passage])
        pairs = zip((found.query, found.passage, found.score), more, strict=True)
        found = ranked(*map(np.concatenate, pairs), depth)
        last = found.rank == depth
        least[found.query[last]] = found.score[last]
        if progress:
            progress.add(score.size)
    return found


def max_sim(
    queries: np.ndarray, query_counts: np.ndarray, passages: np.ndarray, passage_counts: np.ndarray
) -> np.ndarray:
    """float32 scores [queries, passages]; the counts say how many of the vectors are each text's, one at least."""
    scores = np.empty((len(query_counts), len(passage_counts)), np.float32)
    ends, of = (np.concatenate([[0], np.cumsum(counts)]) for counts in (query_counts, passage_counts))
    for first, end in cuts(of, MULTIPLIED):
        shown = passages[of[first] : of[end]].astype(np.float64).T
        for asked, after in cuts(ends, MULTIPLIED):
            products = queries[ends[asked] : ends[after]].astype(np.float64) @ shown
            nearest = np.maximum.reduceat(products, of[first:end] - of[first], axis=1)
            scores[asked:after, first:end] = np.add.reduceat(nearest, ends[asked:after] - ends[asked], axis=0)
    return scores


# --- an index of vectors ------------------------------------------------------------------------


@dataclass
class AllVectors:
    """All passages' vectors one after another, as an index is built from them.

    `counts` says how many are each passage's, once `blocks` was read to its end.
    """

    corpus: Vectors

    def __post_init__(self):
        self.model, self.dimension = self.corpus.model, self.corpus.dimension
        self.counts, self.total = np.zeros(0, np.int64), self.corpus.total()

    def __len__(self) -> int:
        return self.total

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """(first vector, float32 vectors)."""
        first, counts = 0, [self.counts[:0]]
        for _, vectors, starts in self.corpus.token_blocks(size):
            counts.append(np.diff(starts))
            yield first, vectors
            first += len(vectors)
        self.counts = np.concatenate(counts)


def probe(
    queries: Vectors,
    corpus: Vectors,
    nearest: Callable[[np.ndarray], Run],
    counts: np.ndarray,
    depth: int,
    block: int | None = None,
) -> Iterator[Run]:
    """The best `depth` candidates of consecutive blocks of queries.

    `nearest` gives a run of vectors: of each query vector the passages' vectors near to it, of all one after another;
    `counts` says how many are each passage's.
    """
    refuse_another_model(queries.manifests[0], queries.model, corpus.manifests[0], corpus.model)
    ends, progress = np.cumsum(counts), Progress(len(queries), "queries", rate="queries")
    for first, asked, starts in queries.token_blocks(block or ASKED):
        found = nearest(asked)
        query, passage = candidates(found, starts, ends)
        score = scored(corpus.token_blocks(block), asked, starts, query, passage)
        run = ranked(query, passage, score, depth)
        progress.add(len(starts) - 1)
        yield Run(run.query + first, run.passage, run.score)


def candidates(found: Run, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of query and passage, each once, by passage, of a run of vectors: queries' begin at `starts`, passages'
    end before `ends`."""
    query = np.searchsorted(starts, found.query, "right") - 1
    pairs = np.unique(np.searchsorted(ends, found.passage, "right") * len(starts) + query)
    passage, query = np.divmod(pairs, len(starts))
    return query, passage


def scored(blocks: Blocks, asked: np.ndarray, starts: np.ndarray, query: np.ndarray, passage: np.ndarray) -> np.ndarray:
    """float32, one a pair. Pairs are by passage."""
    scores = np.empty(len(query), np.float32)
    for row, shown, of in blocks:
        part = slice(*np.searchsorted(passage, [row, row + len(of) - 1]))
        scores[part] = score_pairs(asked, starts, shown, np.diff(of), query[part], passage[part] - row)
    return scores


def score_pairs(
    asked: np.ndarray, starts: np.ndarray, shown: np.ndarray, counts: np.ndarray, query: np.ndarray, passage: np.ndarray
) -> np.ndarray:
    """float32, one for each pair of texts: queries' vectors begin at `starts`, which has their end, too, and `counts`
    of those that are `shown` are each passage's."""
    scores, order = np.empty(len(query), np.float32), np.argsort(query, kind="stable")
    begins, of_query = np.cumsum(counts) - counts, np.flatnonzero(np.diff(query[order])) + 1
    for some in np.split(order, of_query) if len(order) else ():
        mine, texts = asked[starts[query[some[0]]] : starts[query[some[0]] + 1]], passage[some]
        text, within = ragged_range(counts[texts])
        vectors = shown[begins[texts][text] + within]
        scores[some] = max_sim(mine, np.array([len(mine)]), vectors, counts[texts])[0]
    return scores
