"""Training by scoring: a query with each of its own passages, read together, under any loss."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.instances import RetrieverBatches, pick_queries
from dewpoint.data.negatives import read_negatives
from dewpoint.data.pairs import Joint, joint, pair_length, pairs
from dewpoint.data.pretrained import revisions
from dewpoint.data.streams import Epochs
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Slices, Special, Texts, TokenStore, query_reading
from dewpoint.models import dropout
from dewpoint.models.card import card
from dewpoint.models.crossencoder import CrossEncoder, read_crossencoder, write_crossencoder
from dewpoint.models.device import precision, precision_in_use, take_device
from dewpoint.models.encoder import prefix_tokens
from dewpoint.training import gradient_cache, loop
from dewpoint.training.chunks import Batch, Chunk, Room, batch, chunks, room
from dewpoint.training.given import Pace

log = logging.getLogger(__name__)

Together = tuple[list[Slices], np.ndarray | None]  # each row's, and where its second text begins if it has two


def train(
    artifact: Artifact, settings, given, pace: Pace, loss: Callable[..., Tensor], compose: Callable[..., Epochs]
) -> None:
    """`loss(scores, known)` is of a whole batch; `compose(queries, size, seed)` says which instances are in one."""
    data, store, words = Dataset(given.dataset), TokenStore(given.tokens), load_tokenizer(given.tokenizer.parent)
    joined = joint(words)
    model = start(settings, given.parent, joined)
    longest = pair_length(settings, joined, store.special)
    model.check_fits(len(words), longest, "a query and a passage")
    prefix, query_prefix = prefix_tokens(words, words, settings)
    stream = instances(
        data,
        settings,
        given,
        store.queries(settings.split, settings.query_length, query_prefix, **query_reading(settings)),
        store.passages(settings.passage_length, prefix, settings.title),
        compose,
    )
    space = room(pace.chunk, take_device(), model.backbone.config)
    rows = Rows(stream, store.special, partial(both, store.special, joined), space, settings.seed)
    steps = settings.epochs * stream.epochs.steps
    loop.train(model, rows.batch, Objective(model, settings, loss), settings, steps, artifact, pace.checkpoint)
    artifact.facts |= {"precision": precision_in_use(settings.precision, model.backbone)}
    artifact.facts |= stream.facts | revisions(revision=settings.source)
    described = card(artifact, settings, given.dataset, "crossencoder")
    write_crossencoder(artifact.path("."), model, words, longest, described)


def instances(
    data: Dataset, settings, given, queries: Texts, passages: Texts, compose: Callable[..., Epochs]
) -> RetrieverBatches:
    """Queries, each with its own passages alone, and their teacher's scores where there are any."""
    judged = data.positives(settings.split)
    stream = RetrieverBatches(
        queries,
        passages,
        judged,
        read_negatives(given.negatives) if given.negatives else None,
        pick_queries(judged[0], settings.train_queries, np.zeros(0, int), settings.seed),
        SimpleNamespace(**vars(settings) | {"in_batch": False}),
        compose,
        given.teacher,
    )
    if given.teacher and settings.unscored == "refused":
        stream.refuse_unscored(data)
    log.info("%s", stream.summary)
    return stream


def start(settings, parent: Path | None, joint: Joint) -> CrossEncoder:
    """What training starts from: a node of the study, a folder or a hub id."""
    model = read_crossencoder(parent.parent if parent else settings.source, joint, settings.seed)
    dropout.install(model, model.backbone)
    return model


class Rows:
    """A step's rows: each passage with its query, as `put` puts the two together."""

    def __init__(self, stream: RetrieverBatches, special: Special, put: Callable[..., Together], room: Room, seed: int):
        self.stream, self.special, self.put, self.room, self.seed = stream, special, put, room, seed

    def batch(self, step: int) -> Batch:
        made = self.stream.batch(step)
        queries, rows = made.known["masked"].shape
        asked = np.repeat(np.arange(queries), rows // queries)
        segments, second = self.put([segment[asked] for segment in made.queries], made.passages)
        parts = chunks(segments, self.special, self.room.chunk, self.seed, step, second=second)
        return batch(rows, parts, self.room.held, made.known)


def both(special: Special, joint: Joint, queries: list[Slices], passages: list[Slices]) -> Together:
    """Two texts, as a cross-encoder's tokenizer joins them."""
    made = pairs(queries, passages, special, joint)
    return made.segments, made.second


class Objective:
    """A loss over all scores of a step."""

    def __init__(self, model: CrossEncoder, settings, loss: Callable[..., Tensor]):
        self.model, self.loss, self.name = model, loss, settings.loss.name
        self.precision = partial(precision, settings.precision, model.backbone)

    def __call__(self, batch: Batch) -> dict[str, float]:
        def loss(scores: Tensor) -> Tensor:  # of each passage with its own query; 0 with others, which are masked
            return self.loss(torch.where(batch.labels["own"], scores[:, 0], 0.0), batch.labels)

        return {self.name: gradient_cache.backward(batch, self._encode, 1, loss)}

    def _encode(self, chunk: Chunk, whole: bool) -> tuple[Tensor, None]:
        with dropout.keyed(self.model, chunk.keys), self.precision():
            return self.model(chunk.ids, chunk.mask, chunk.second)[:, None], None
