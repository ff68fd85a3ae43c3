"""What a retriever trains on: queries, each with a positive and negatives, batch by batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dewpoint.data.lots import rng
from dewpoint.data.negatives import Negatives
from dewpoint.data.streams import BATCH, QUERIES, Epochs
from dewpoint.data.tokens import Slices, Texts
from dewpoint.errors import UserError


def pick_queries(positives: np.ndarray, wanted: int | None, without: np.ndarray, seed: int) -> np.ndarray:
    """The queries to train on, `wanted` of those with a positive; fewer are always a part of more.

    `without` are held out of training, whatever is wanted.
    """
    order = rng(seed, QUERIES).permutation(np.unique(positives))
    order = order[~np.isin(order, without)]
    if wanted and wanted > len(order):
        raise UserError(f"train_queries: {wanted:,} are wanted, but only {len(order):,} queries have a positive")
    return np.sort(order[:wanted])


@dataclass
class RetrieverBatch:
    queries: list[Slices]
    passages: list[Slices]  # n · (1 + negatives), a query's positive first
    known: dict[str, np.ndarray]  # what a loss may know of it:
    # targets, the row of each query's positive among the passages; masked [n, passages], no negative of the query;
    # query and passage, their rows in the dataset


class RetrieverBatches:
    """Queries, each with a positive and its next negatives; negatives rotate by epoch.

    An instance is a query with the negatives of one ranker: with two rankers a query comes twice an epoch.
    """

    def __init__(
        self,
        queries: Texts,
        passages: Texts,
        judged: tuple[np.ndarray, np.ndarray],
        negatives: Negatives | None,
        chosen: np.ndarray,
        settings,
        compose: Callable[[np.ndarray, int, int], Epochs],
    ):
        """`judged` are (query, passage) rows judged relevant; `chosen` the queries to train on; `compose` makes batches
        of instances, given the query of each, how many come together, and a seed.
        """
        self.queries, self.passages, self.settings, self.total = queries, passages, settings, len(passages)
        order = np.argsort(judged[0], kind="stable")  # a query's positives stay in the order of their judgements
        self.judged = judged[0][order].astype(np.int64) * self.total + judged[1][order]  # query · total + passage
        negatives = negatives or Negatives.none(chosen)
        used = np.flatnonzero(np.isin(negatives.query, chosen))
        self.query, self.pool = negatives.query[used], negatives.passages
        self.negatives = negatives.offsets[:-1][used], np.diff(negatives.offsets)[used]
        first, last = np.searchsorted(self.judged // self.total, [self.query, self.query + 1])
        self.positives = first, last - first
        self.epochs = compose(self.query, settings.batch_size, settings.seed)

    @property
    def facts(self) -> dict[str, int]:
        """How many queries and instances an epoch has, and how many random passages make up for missing negatives."""
        missing = np.maximum(self.settings.negatives_per_query - self.negatives[1], 0)
        return {
            "queries": len(np.unique(self.query)),
            "instances": len(self.query),
            "instances_without_negatives": int((self.negatives[1] == 0).sum()),
            "random_negatives": int(missing.sum()),
        }

    @property
    def summary(self) -> str:
        """The facts in a line, and what a step holds on all devices together."""
        queries, instances, without, drawn = (f"{count:,}" for count in self.facts.values())
        made_up = f" ({without} without negatives; {drawn} random passages make up)" if drawn != "0" else ""
        size = min(self.settings.batch_size, len(self.query))
        step = f"{size:,} queries and {size * (1 + self.settings.negatives_per_query):,} passages a step"
        return f"{instances} instances of {queries} queries an epoch{made_up}; {step}"

    def batch(self, step: int) -> RetrieverBatch:
        epoch, rows = self.epochs.rows(step)
        query = self.query[rows]
        first, counts = (x[rows] for x in self.positives)
        turn = epoch % counts if self.settings.positives == "rotating" else 0
        positive = self.judged[first + turn] % self.total
        negative = self._negatives(rows, epoch, rng(self.settings.seed, BATCH, step))
        passage = np.concatenate([positive[:, None], negative], axis=1)
        flat, row = passage.ravel(), np.arange(len(rows))
        targets = row * passage.shape[1]
        masked = np.isin(query[:, None] * self.total + flat, self.judged)
        if not self.settings.in_batch:
            masked |= np.arange(len(flat)) // passage.shape[1] != row[:, None]
        masked[row, targets] = False
        known = {"targets": targets, "masked": masked, "query": query, "passage": flat}
        return RetrieverBatch(self.queries[query], self.passages[flat], known)

    def _negatives(self, rows: np.ndarray, epoch: int, random: np.random.Generator) -> np.ndarray:
        """The next negatives of each row's pool, round and round; a short pool is topped up at random."""
        wanted = self.settings.negatives_per_query
        first, counts = (x[rows][:, None] for x in self.negatives)
        drawn = random.integers(0, self.total, (len(rows), wanted))
        if len(self.pool) == 0:
            return drawn
        index = first + (epoch * wanted + np.arange(wanted)) % np.maximum(counts, 1)
        return np.where(np.arange(wanted) < counts, self.pool[np.minimum(index, len(self.pool) - 1)], drawn)
