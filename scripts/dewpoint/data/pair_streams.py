"""Pairs of texts by the hundred million: `batch(step)` is a function of seed and step, and nothing is held of them.

A dataset's own pairs, or pairs made of its passages: a sentence against the rest of its passage (the inverse cloze
task), or against the first passage of its document (body first).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dewpoint.data.dataset import Dataset
from dewpoint.data.instances import RetrieverBatch, known_of
from dewpoint.data.lots import keys, permuted, rng, uniform
from dewpoint.data.negatives import Negatives
from dewpoint.data.runs import find
from dewpoint.data.streams import BATCH, INSTANCES, KEPT, NOTHING, QUERIES, SENTENCE
from dewpoint.data.tokens import Ragged, Texts, TokenStore
from dewpoint.errors import UserError

BLOCK = 2**20  # sentences looked at together


class Judged:
    """A split's pairs in a fresh order every epoch, each with its next negatives, if there are some."""

    def __init__(self, data: Dataset, queries: Texts, passages: Texts, negatives: Negatives | None, settings):
        self.queries, self.passages, self.settings = queries, passages, settings
        self.pairs = Mapped(data.paired(settings.split)) if data.is_paired(settings.split) else Listed(data, settings)
        self.count = len(self.pairs) if settings.train_pairs is None else settings.train_pairs
        if not self.count:
            raise UserError(NOTHING)
        if self.count > len(self.pairs):
            raise UserError(f"train_pairs: {self.count:,} are wanted, but {settings.split} has {len(self.pairs):,}")
        self.sources = by_source(negatives) if negatives else []

    @property
    def facts(self) -> dict[str, int | float]:
        return {"pairs": self.count, "epochs": round(self.settings.steps * self.settings.batch_size / self.count, 3)}

    @property
    def summary(self) -> str:
        times = f"{self.facts['epochs']:,} times each, {self.settings.batch_size:,} a step"
        return f"{self.count:,} pairs of {len(self.pairs):,}, {times}"

    def numbers(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """(epoch, number) of a step's pairs; fewer pairs are a part of more, for one seed."""
        seed, size = self.settings.seed, self.settings.batch_size
        epoch, at = np.divmod(step * size + np.arange(size), self.count)
        for one in np.unique(epoch):
            at[epoch == one] = permuted(at[epoch == one], self.count, seed, INSTANCES, int(one))
        return epoch, permuted(at, len(self.pairs), seed, QUERIES)

    def batch(self, step: int) -> RetrieverBatch:
        epoch, number = self.numbers(step)
        query, positive = self.pairs.at(number)
        passage = np.concatenate([positive[:, None], self._negatives(query, epoch, step)], axis=1)
        related = self.pairs.related(query, passage.ravel())
        return RetrieverBatch(self.queries[query], self.passages[passage.ravel()], known_of(query, passage, related))

    def _negatives(self, query: np.ndarray, epoch: np.ndarray, step: int) -> np.ndarray:
        """The next of each query's; those of several rankers take turns. Too few are made up for at random."""
        wanted = self.settings.negatives_per_query
        drawn = rng(self.settings.seed, BATCH, step).integers(0, len(self.passages), (len(query), wanted))
        for number, source in enumerate(self.sources):
            mine = np.flatnonzero((query + epoch) % len(self.sources) == number)
            asked, at = find(source.query, query[mine])
            first, counts = source.offsets[at], source.offsets[at + 1] - source.offsets[at]
            turn = epoch[mine][asked, None] // len(self.sources) * wanted + np.arange(wanted)
            index = first[:, None] + turn % np.maximum(counts, 1)[:, None]
            there = np.arange(wanted) < counts[:, None]
            found = source.passages[np.minimum(index, len(source.passages) - 1)] if len(source.passages) else 0
            drawn[mine[asked]] = np.where(there, found, drawn[mine[asked]])
        return drawn


@dataclass
class Mapped:
    """Pairs of which each query has one, memory-mapped."""

    positives: np.ndarray

    def __len__(self) -> int:
        return len(self.positives)

    def at(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(query, passage) rows."""
        return numbers, self.positives[numbers].astype(np.int64)

    def related(self, query: np.ndarray, passage: np.ndarray) -> np.ndarray:
        """[queries, passages], which of them belong together."""
        return self.positives[query][:, None] == passage


class Listed:
    """Pairs as they are judged, of which a query may have several."""

    def __init__(self, data: Dataset, settings):
        self.total = data.rows("corpus")
        query, passage = data.positives(settings.split)
        self.pairs = np.unique(query.astype(np.int64) * self.total + passage)

    def __len__(self) -> int:
        return len(self.pairs)

    def at(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(query, passage) rows."""
        return np.divmod(self.pairs[numbers], self.total)

    def related(self, query: np.ndarray, passage: np.ndarray) -> np.ndarray:
        """[queries, passages], which of them belong together."""
        both = query[:, None] * self.total + passage
        related = np.zeros(both.size, bool)
        related[find(self.pairs, both.ravel())[0]] = True
        return related.reshape(both.shape)


def by_source(negatives: Negatives) -> list[Negatives]:
    """Those of each ranker by themselves, by query."""
    cuts = [0, *(np.flatnonzero(np.diff(negatives.query) <= 0) + 1), len(negatives.query)]
    return [
        Negatives(negatives.query[first:last], negatives.passages, negatives.offsets[first : last + 1])
        for first, last in pairwise(cuts)
    ]


class Made:
    """Random sentences, every one that will do equally likely, each against what is made of its passage."""

    wrong: str  # why no sentence will do

    def __init__(self, data: Dataset, store: TokenStore, queries, passages: Texts, settings):
        """`queries` makes texts of tokens."""
        self.tokens, self.starts = store.column("corpus"), store.sentences()
        self.queries, self.passages, self.settings = queries, passages, settings
        blocks = (np.arange(at, min(at + BLOCK, len(self.starts))) for at in range(0, len(self.starts), BLOCK))
        if not any(self.fits(block).any() for block in blocks):
            raise UserError(f"{data.manifest.parent}: nothing to train on; {self.wrong}")

    @property
    def facts(self) -> dict[str, int]:
        return {"sentences": len(self.starts)}

    @property
    def summary(self) -> str:
        return f"{len(self.starts):,} sentences, {self.settings.batch_size:,} of them a step"

    def sentences(self, step: int) -> np.ndarray:
        """Of a step: what will not do is drawn anew."""
        size = self.settings.batch_size
        drawn, todo, tries = np.empty(size, np.int64), np.arange(size), 0
        while len(todo):
            chance = uniform(keys(self.settings.seed, step, todo + tries * size), 1, SENTENCE)[:, 0]
            drawn[todo] = (chance * len(self.starts)).astype(np.int64)
            todo, tries = todo[~self.fits(drawn[todo])], tries + 1
        return drawn

    def borders(self, sentences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(the passage, the first token, the one after the last) of sentences, which passages are wholly made of."""
        first = self.starts[sentences]
        next = self.starts[np.minimum(sentences + 1, len(self.starts) - 1)]
        last = np.where(sentences + 1 < len(self.starts), next, len(self.tokens.values))
        return np.searchsorted(self.tokens.offsets, first, "right") - 1, first, last

    def batch(self, step: int) -> RetrieverBatch:
        sentences = self.sentences(step)
        passage, first, last = self.borders(sentences)
        asked = self.queries(Ragged(self.tokens.values, np.stack([first, last], axis=1).ravel()))
        target, shown = self.against(passage, first, last, step)
        known = known_of(sentences, target[:, None], target[:, None] == target)
        return RetrieverBatch(asked[2 * np.arange(len(sentences))], shown, known)


class InverseCloze(Made):
    """A sentence against its passage, in which it is left in a share of the cases and taken out of the others."""

    wrong = "no passage has two sentences"

    def fits(self, sentences: np.ndarray) -> np.ndarray:
        passage, first, last = self.borders(sentences)
        return (first > self.tokens.offsets[passage]) | (last < self.tokens.offsets[passage + 1])

    def against(self, passage, first, last, step: int):
        kept = uniform(keys(self.settings.seed, step, np.arange(len(passage))), 1, KEPT)[:, 0] < self.settings.keep
        return passage, self.passages.without(passage, first, np.where(kept, first, last))


class BodyFirst(Made):
    """A sentence against the first passage of its document, which it is not from."""

    wrong = "no document has two passages"

    def __init__(self, data: Dataset, *others):
        documents = data.documents()
        self.head = np.unique(documents, return_index=True)[1].astype(np.int32)[documents]
        super().__init__(data, *others)

    def fits(self, sentences: np.ndarray) -> np.ndarray:
        passage = self.borders(sentences)[0]
        head = self.head[passage]
        return (head != passage) & (self.tokens.offsets[head + 1] > self.tokens.offsets[head])

    def against(self, passage, first, last, step: int):
        head = self.head[passage].astype(np.int64)
        return head, self.passages[head]


MADE = {"ict": InverseCloze, "bfs": BodyFirst}
