"""Training by ranking: a query's passages among all passages of the step, by inner product, under any loss."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.instances import RetrieverBatch, RetrieverBatches, pick_queries
from dewpoint.data.negatives import read_negatives
from dewpoint.data.own_prompts import check_prompts
from dewpoint.data.pretrained import revisions
from dewpoint.data.streams import Epochs
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Texts, TokenStore, query_reading
from dewpoint.models import dropout
from dewpoint.models.card import card
from dewpoint.models.device import precision, precision_in_use, take_device
from dewpoint.models.encoder import Retriever, prefix_tokens
from dewpoint.models.folder import read_retriever, write_retriever
from dewpoint.training import gradient_cache, loop, nested
from dewpoint.training.chunks import Batch, Chunk, Room, room
from dewpoint.training.given import Pace
from dewpoint.training.in_batch_teacher import InBatchTeacher, taught
from dewpoint.training.proxy import Proxy
from dewpoint.training.sides import Sides, scores_of, vectors_of

log = logging.getLogger(__name__)

Special = dict[str, int]


def train(
    artifact: Artifact, settings, given, pace: Pace, loss: Callable[..., Tensor], compose: Callable[..., Epochs]
) -> None:
    """`loss(scores, known)` is of a whole batch; `compose(queries, size, seed)` says which instances are in one."""
    reading, data = Reading.of(settings, given), Dataset(given.dataset)
    passages, queries = reading.of_passages(reading.store), partial(reading.of_queries, reading.query_store)
    judged, watched = data.positives(settings.split), settings.development
    asked = queries(watched.split, settings.query_length) if watched else None
    teacher = InBatchTeacher(given.in_batch_teacher, settings, pace.chunk) if given.in_batch_teacher.model else None
    proxy = Proxy(data, given.development, asked, passages, settings) if watched else None
    held_out = proxy.rows if watched and watched.split == settings.split else np.zeros(0, int)
    stream = RetrieverBatches(
        queries(settings.split, settings.train_query_length),
        passages,
        judged,
        read_negatives(given.negatives) if given.negatives else None,
        pick_queries(judged[0], settings.train_queries, held_out, settings.seed),
        settings,
        compose,
        given.teacher,
    )
    if given.teacher and settings.unscored == "refused":
        stream.refuse_unscored(data)
    fit(
        artifact,
        settings,
        given.dataset,
        pace,
        reading,
        stream,
        settings.epochs * stream.epochs.steps,
        loss,
        proxy,
        teacher,
    )


@dataclass
class Reading:
    """The encoders that training starts from, and how they read the texts of its two sides."""

    settings: Any
    model: Retriever
    stores: tuple[TokenStore, TokenStore]  # of passages, of queries
    words: tuple[PreTrainedTokenizerBase, PreTrainedTokenizerBase]
    prefixes: tuple[list[int], list[int]]

    @classmethod
    def of(cls, settings, given) -> "Reading":
        sides = given.passages, given.queries
        words = tuple(load_tokenizer(side.tokenizer.parent) for side in sides)
        model = start(settings, given.passages.parent, given.queries.parent)
        model.check_fits(*words, settings)
        stores = tuple(TokenStore(side.tokens) for side in sides)
        return cls(settings, model, stores, words, prefix_tokens(*words, settings))

    @property
    def store(self) -> TokenStore:
        return self.stores[0]

    @property
    def query_store(self) -> TokenStore:
        return self.stores[1]

    def of_passages(self, store: TokenStore) -> Texts:
        return store.passages(self.settings.passage_length, self.prefixes[0], self.settings.title)

    def of_queries(self, store: TokenStore, split: str, length: int) -> Texts:
        return store.queries(split, length, self.prefixes[1], **query_reading(self.settings))


class Stream(Protocol):
    """Batches of queries and passages, as a function of the step; what a log and a manifest say of them."""

    facts: dict[str, Any]
    summary: str

    def batch(self, step: int) -> RetrieverBatch: ...


def fit(
    artifact: Artifact,
    settings,
    dataset: Path,
    pace: Pace,
    reading: Reading,
    stream: Stream,
    steps: int,
    loss: Callable[..., Tensor],
    proxy: Proxy | None,
    teacher: InBatchTeacher | None = None,
) -> None:
    """Train on a stream, measured on the way where there is a proxy, and write the model's folder."""
    log.info("%s", stream.summary)
    model, watched = reading.model, settings.development
    special = reading.query_store.special, reading.store.special
    space = room(pace.chunk, take_device(), model.passages.backbone.config)
    rows = Rows(stream, Sides(*special, model.passages.several), space, settings.seed, teacher)
    objective, measuring = Objective(model, settings, loss, teacher), None
    if proxy:
        measure = partial(objective.measure, proxy, *special, space.chunk)
        often, best = (watched.measurements, watched.every), watched.keep == "best"
        measuring = loop.Measuring(measure, often[0], proxy.name, best, watched.patience, often[1])
    loop.train(model, rows.batch, objective, settings, steps, artifact, pace.checkpoint, measuring)
    artifact.facts |= {"precision": precision_in_use(settings.precision, model.passages.backbone)}
    artifact.facts |= stream.facts | model.facts | {"retrieves": True}
    artifact.facts |= {"sizes": objective.sizes} if len(objective.sizes) > 1 else {}
    artifact.facts |= revisions(revision=settings.source, query_revision=settings.query_source)
    described = card(artifact, settings, dataset, "late" if model.passages.several else "retriever")
    write_retriever(artifact.path("."), model, reading.words, settings, described)
    if len(objective.sizes) > 1:
        nested.say(artifact.path("."), objective.sizes)


def start(settings, parent: Path | None, query_parent: Path | None) -> Retriever:
    """The encoders that training starts from: nodes of the study, folders or hub ids."""
    check_prompts(settings)
    model = read_retriever(
        parent.parent if parent else settings.source, query_parent.parent if query_parent else settings.query_source
    )
    model.set_output(settings.pooling, settings.normalize, settings.projection, settings.seed)
    dropout.install(model, *(encoder.backbone for encoder in model.encoders))
    return model


class Rows:
    """A step's rows: queries are the first, passages follow."""

    def __init__(self, stream: Stream, sides: Sides, room: Room, seed: int, teacher: InBatchTeacher | None = None):
        self.stream, self.sides, self.room, self.seed, self.teacher = stream, sides, room, seed, teacher

    def batch(self, step: int) -> Batch:
        made = self.stream.batch(step)
        batch = self.sides.batch(made.queries, made.passages, made.known, self.room, self.seed, step)
        return batch._replace(teacher=self.teacher.batch(made.known)) if self.teacher else batch


class Objective:
    """A loss over all scores of a step, and what is measured with the same encoders on the way."""

    def __init__(self, model: Retriever, settings, loss: Callable[..., Tensor], teacher: InBatchTeacher | None = None):
        self.model, self.loss, self.name, self.teacher = model, loss, settings.loss.name, teacher
        self.settings, self.sizes = settings, nested.sizes_of(settings, model)
        self.precision = partial(precision, settings.precision, model.passages.backbone)

    def __call__(self, batch: Batch) -> dict[str, float]:
        known = batch.labels
        if self.teacher:
            known = taught(known, self.teacher.scores(batch.teacher), self.settings.in_batch)

        def loss(vectors: Tensor) -> Tensor:
            parts = nested.beginnings(vectors, self.sizes, self.model.passages.normalize)
            return sum(self.loss(scores_of(part, known), known) for part in parts) / len(self.sizes)

        return {self.name: gradient_cache.backward(batch, self._encode, self.model.dimension, loss)}

    def _encode(self, chunk: Chunk, whole: bool) -> tuple[Tensor, None]:
        with dropout.keyed(self.model, chunk.keys), self.precision():
            return vectors_of(self.model, chunk), None

    def measure(self, proxy: Proxy, query_special: Special, special: Special, tokens: int) -> dict[str, float]:
        with self.precision():
            return proxy.measure(self.model, query_special, special, tokens)
