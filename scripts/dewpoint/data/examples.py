"""Examples of texts: all of a split as one column, and batches of them as a function of seed and step."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dewpoint.artifact import read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.lots import rng
from dewpoint.data.streams import QUERIES, Epochs
from dewpoint.data.tokens import Slices, TokenStore
from dewpoint.errors import UserError


def pick(total: int, wanted: int | None, split: str, seed: int) -> np.ndarray:
    """The examples to train on, drawn at random; fewer are always a part of more."""
    if wanted and wanted > total:
        raise UserError(f"train_examples: {wanted:,} are wanted, but {split} has {total:,}")
    return np.sort(rng(seed, QUERIES).permutation(total)[:wanted])


def scores_of(data: Dataset, split: str) -> np.ndarray | None:
    """The examples' scores, brought to 0 … 1; None where they have none."""
    scores = data.column(f"examples.{split}", "score")
    if scores.null_count:
        return None
    low, high = read_manifest(data.manifest)["facts"]["scale"]
    return ((scores.to_numpy() - low) / (high - low)).astype(np.float32)


class ExampleTexts:
    """The texts of a split's examples as a model reads them; those of an example come one after the other."""

    def __init__(self, store: TokenStore, split: str, length: int, prefix: list[int]):
        by_position = store.examples(split, length, prefix)
        self.each, self.all = len(by_position), replace(by_position[0], step=1)

    def __len__(self) -> int:
        return len(self.all) // self.each

    def __getitem__(self, examples: np.ndarray) -> list[Slices]:
        """The examples' texts, [examples · each]."""
        return self.all[(examples[:, None] * self.each + np.arange(self.each)).ravel()]


class ExampleBatch(NamedTuple):
    texts: list[Slices]  # those of an example one after the other
    known: dict[str, np.ndarray]  # of each example: score, from 0 to 1, where it has one


class ExampleBatches:
    """A split's examples, or as many as are wanted of them, in a fresh order every epoch."""

    def __init__(self, data: Dataset, texts: ExampleTexts, settings):
        self.texts, self.total = texts, len(texts)
        self.chosen = pick(self.total, settings.train_examples, settings.split, settings.seed)
        self.epochs = Epochs(len(self.chosen), settings.batch_size, settings.seed)
        self.scores = scores_of(data, settings.split)

    @property
    def facts(self) -> dict[str, Any]:
        return {"examples": len(self.chosen)}

    @property
    def summary(self) -> str:
        return f"{len(self.chosen):,} examples of {self.total:,}, of {self.texts.each} texts each"

    def batch(self, step: int) -> ExampleBatch:
        _, rows = self.epochs.rows(step)
        examples = self.chosen[rows]
        return ExampleBatch(self.texts[examples], {} if self.scores is None else {"score": self.scores[examples]})
