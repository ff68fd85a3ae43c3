"""Late interaction: a query's score of a passage is the sum, over its vectors, of the nearest passage vector's product.

    s(q, p) = Σ_i max_j  q_i · p_j

Products are summed in float64 and a score is rounded once, so it does not depend on blocks or shards.
"""

from collections.abc import Iterator

import numpy as np

from dewpoint.data.runs import NOTHING, Run, ranked
from dewpoint.progress import Progress
from dewpoint.search.vectors import Vectors, cuts, refuse_another_model

MULTIPLIED = 4096  # vectors of each side at once


def search(queries: Vectors, corpus: Vectors, depth: int, block: int | None = None) -> Iterator[Run]:
    """The best `depth` passages of consecutive blocks of queries; ties rank by passage row."""
    refuse_another_model(queries.manifests[0], queries.model, corpus.manifests[0], corpus.model)
    progress = Progress(len(queries) * len(corpus), "pairs", rate="pairs")
    for first, asked, starts in queries.token_blocks(block):
        counts = np.diff(starts)
        best, least = NOTHING, np.full(len(counts), -np.inf, np.float32)
        for row, shown, of in corpus.token_blocks(block):
            score = max_sim(asked, counts, shown, np.diff(of))
            query, passage = np.nonzero(score > least[:, None])  # an equal score of a later row ranks below
            found = (query, passage + row, score[query, passage])
            pairs = zip((best.query, best.passage, best.score), found, strict=True)
            best = ranked(*map(np.concatenate, pairs), depth)
            last = best.rank == depth
            least[best.query[last]] = best.score[last]
            progress.add(score.size)
        yield Run(best.query + first, best.passage, best.score)


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
