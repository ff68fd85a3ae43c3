"""What a retriever trains on: queries, each with a positive and negatives, batch by batch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dewpoint.data.dataset import Dataset
from dewpoint.data.lots import rng
from dewpoint.data.negatives import Negatives
from dewpoint.data.streams import BATCH, QUERIES, Epochs
from dewpoint.data.teacher import Teacher
from dewpoint.data.tokens import Slices, Texts, ragged_range
from dewpoint.errors import UserError


def pick_queries(positives: np.ndarray, wanted: int | None, without: np.ndarray, seed: int) -> np.ndarray:
    """The queries to train on, `wanted` of those with a positive; fewer are always a part of more.

    `without` are held out of training, whatever is wanted.
    """
    order = rng(seed, QUERIES).permutation(np.unique(positives))
    judged, order = len(order), order[~np.isin(order, without)]
    if judged and not len(order):
        raise UserError(f"development.queries: all {judged:,} queries with a positive are held out; hold out fewer")
    if wanted and wanted > len(order):
        raise UserError(f"train_queries: {wanted:,} are wanted, but only {len(order):,} queries have a positive")
    return np.sort(order[:wanted])


@dataclass
class RetrieverBatch:
    queries: list[Slices]
    passages: list[Slices]  # n · (1 + negatives), a query's positive first
    known: dict[str, np.ndarray]  # what a loss may know of it:
    # targets, the row of each query's positive among the passages; masked [n, passages], no negative of the query;
    # own [n, passages], those that a query brought, its positive among them; query and passage, their rows in the
    # dataset; with a teacher also teacher [n, passages], its scores, nan where it has none


def known_of(query: np.ndarray, passage: np.ndarray, related: np.ndarray) -> dict[str, np.ndarray]:
    """What a loss may know of a step; `passage` are each query's own, its positive first, `related` [queries, all of
    them] those that belong to a query."""
    each, row = passage.shape[1], np.arange(len(query))
    targets = row * each
    masked = related.copy()
    masked[row, targets] = False
    own = np.arange(passage.size) // each == row[:, None]
    return {"targets": targets, "masked": masked, "own": own, "query": query, "passage": passage.ravel()}


class RetrieverBatches:
    """Queries, each with a positive and its next negatives; both rotate by epoch, or are picked by who composes.

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
        teacher: Path | None = None,
    ):
        """`judged` are (query, passage) rows judged relevant; `chosen` the queries to train on; `compose` makes batches
        of instances, given the query of each, how many come together, and a seed; `teacher` is a run.
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
        self.teacher = Teacher(teacher, self.query) if teacher else None

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
        query, random = self.query[rows], rng(self.settings.seed, BATCH, step)
        if hasattr(self.epochs, "pick"):
            positive, negative = self._picked(rows, step, random)
        else:
            positive, negative = self._positives(rows, epoch), self._negatives(rows, epoch, random)
        passage = np.concatenate([positive[:, None], negative], axis=1)
        flat = passage.ravel()
        known = known_of(query, passage, np.isin(query[:, None] * self.total + flat, self.judged))
        if not self.settings.in_batch:
            known["masked"] |= ~known["own"]
        if self.teacher:
            taught = self.teacher.scores(query[:, None], flat[None, :])
            known["teacher"] = taught if self.settings.in_batch else np.where(known["own"], taught, np.float32(np.nan))
        return RetrieverBatch(self.queries[query], self.passages[flat], known)

    def refuse_unscored(self, data: Dataset) -> None:
        """All that a query may bring must have the teacher's score; random passages that make up may have none."""
        numbers = [self.judged[_spread(*self._offered)[1]]]
        if self.settings.negatives_per_query:
            row, at = _spread(*self.negatives)
            numbers.append(self.query[row] * self.total + self.pool[at])
        numbers = np.unique(np.concatenate(numbers))
        query, passage = np.divmod(numbers, self.total)
        lacking = self.teacher.lacking(query, passage)
        if len(lacking):
            query, passage = query[lacking[0]], passage[lacking[0]]
            ids = (data.column(f"queries.{self.settings.split}", "id")[query], data.column("corpus", "id")[passage])
            raise UserError(
                f"teacher: run {self.teacher.run} lacks {len(lacking):,} of {len(numbers):,} pairs (query '{ids[0]}' "
                f"with passage '{ids[1]}' is the first); it must have each training query's positives and negatives, "
                "or say unscored: skipped"
            )

    @property
    def _offered(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each instance's positives begin among all that is judged, and how many there are to choose from."""
        first, counts = self.positives
        return first, counts if self.settings.positives == "rotating" else np.ones_like(counts)

    def _positives(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        first, counts = (x[rows] for x in self._offered)
        return self.judged[first + epoch % counts] % self.total

    def _picked(self, rows: np.ndarray, step: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Positives and negatives as who composes picks them; too few are topped up at random."""
        wanted = self.settings.negatives_per_query
        negative = random.integers(0, self.total, (len(rows), wanted))
        positives = self._ragged(rows, self._offered, self.judged)
        negatives = self._ragged(rows, self.negatives, self.pool)
        margins = [one[1][:, None] - other[1][None, :] for one, other in zip(positives, negatives, strict=True)]
        picked = self.epochs.pick(step, margins, wanted)
        for row, (_, of_row) in enumerate(picked):
            negative[row, : len(of_row)] = negatives[row][0][of_row]
        return np.array([positives[row][0][at] for row, (at, _) in enumerate(picked)]), negative

    def _ragged(
        self, rows: np.ndarray, where: tuple[np.ndarray, np.ndarray], passages: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """(passages, the teacher's scores of them) of each instance, which begin and are so many in `passages`; these
        are passages, or pairs with their query."""
        first, counts = (x[rows] for x in where)
        row, at = _spread(first, counts)
        flat = passages[at] % self.total
        scores = self.teacher.scores(self.query[rows][row], flat) if self.teacher else np.full(len(flat), np.nan)
        cuts = np.cumsum(counts)[:-1]
        return [*zip(np.split(flat, cuts), np.split(scores, cuts), strict=True)]

    def _negatives(self, rows: np.ndarray, epoch: int, random: np.random.Generator) -> np.ndarray:
        """The next negatives of each row's pool, round and round; a short pool is topped up at random."""
        wanted = self.settings.negatives_per_query
        first, counts = (x[rows][:, None] for x in self.negatives)
        drawn = random.integers(0, self.total, (len(rows), wanted))
        if len(self.pool) == 0:
            return drawn
        index = first + (epoch * wanted + np.arange(wanted)) % np.maximum(counts, 1)
        return np.where(np.arange(wanted) < counts, self.pool[np.minimum(index, len(self.pool) - 1)], drawn)


def _spread(first: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, place) of all that begins at `first` and is so many, row by row."""
    row, within = ragged_range(counts)
    return row, first[row] + within
