"""`retriever`: a query's positive against its negatives and every other passage of the batch.

L = 1/n Σ_i -log( exp(q_i·p_i+ / τ) / Σ_j exp(q_i·p_j / τ) )        j over all passages of the step that may be negative
"""

import logging
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.instances import RetrieverBatches, pick_queries
from dewpoint.data.negatives import read_negatives
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.models import dropout
from dewpoint.models.card import card
from dewpoint.models.device import precision, precision_in_use, take_device
from dewpoint.models.encoder import Retriever, prefix_tokens
from dewpoint.models.folder import read_retriever, write_retriever
from dewpoint.training import gradient_cache, loop
from dewpoint.training.chunks import Batch, Chunk, Room, batch, chunks, room
from dewpoint.training.losses import ranking_loss
from dewpoint.training.proxy import MEASURE, Proxy

log = logging.getLogger(__name__)

Special = dict[str, int]


def train(
    artifact: Artifact,
    settings,
    dataset: Path,
    tokens: Path,
    tokenizer: Path,
    query_tokens: Path,
    query_tokenizer: Path,
    negatives: Path | None,
    development: list[Path],
    parent: Path | None,
    query_parent: Path | None,
    chunk: int,
    checkpoint: int,
) -> None:
    data, store, query_store = Dataset(dataset), TokenStore(tokens), TokenStore(query_tokens)
    words, query_words = (load_tokenizer(made.parent) for made in (tokenizer, query_tokenizer))
    model = start(settings, parent, query_parent)
    model.check_fits(words, query_words, settings)
    prefix, query_prefix = prefix_tokens(words, query_words, settings)
    passages = store.passages(settings.passage_length, prefix, settings.title)
    queries = partial(query_store.queries, prefix=query_prefix)
    judged, watched = data.positives(settings.split), settings.development
    asked = queries(watched.split, length=settings.query_length) if watched else None
    proxy = Proxy(data, development, asked, passages, settings) if watched else None
    held_out = proxy.rows if watched and watched.split == settings.split else np.zeros(0, int)
    stream = RetrieverBatches(
        queries(settings.split, length=settings.train_query_length),
        passages,
        judged,
        read_negatives(negatives) if negatives else None,
        pick_queries(judged[0], settings.train_queries, held_out, settings.seed),
        settings,
    )
    log.info("%s", stream.summary)
    space = room(chunk, take_device(), model.passages.backbone.config)
    rows = Rows(stream, query_store.special, store.special, space, settings.seed)
    objective, measuring = Objective(model, settings), None
    if watched:
        measure = partial(objective.measure, proxy, query_store.special, store.special, space.chunk)
        measuring = loop.Measuring(measure, watched.measurements, MEASURE, watched.keep == "best", watched.patience)
    steps = settings.epochs * stream.epochs.steps
    loop.train(model, rows.batch, objective, settings, steps, artifact, checkpoint, measuring)
    artifact.facts |= {"precision": precision_in_use(settings.precision, model.passages.backbone)}
    artifact.facts |= stream.facts | model.facts | {"retrieves": True}
    write_retriever(artifact.path("."), model, (words, query_words), settings, card(artifact, settings, dataset))


def start(settings, parent: Path | None, query_parent: Path | None) -> Retriever:
    """The encoders that training starts from: nodes of the study, folders or hub ids."""
    model = read_retriever(
        parent.parent if parent else settings.source, query_parent.parent if query_parent else settings.query_source
    )
    model.set_output(settings.pooling, settings.normalize, settings.projection, settings.seed)
    dropout.install(model, *(encoder.backbone for encoder in model.encoders))
    return model


class Rows:
    """A step's rows: queries are the first, passages follow."""

    def __init__(self, stream: RetrieverBatches, query_special: Special, special: Special, room: Room, seed: int):
        self.stream, self.query_special, self.special, self.room, self.seed = stream, query_special, special, room, seed

    def batch(self, step: int) -> Batch:
        made, size, seed = self.stream.batch(step), self.room.chunk, self.seed
        queries, passages = made.masked.shape
        parts = chunks(made.queries, self.query_special, size, seed, step, queries=True)
        parts += chunks(made.passages, self.special, size, seed, step, first=queries)
        return batch(queries + passages, parts, self.room.held, made.targets, made.masked)


class Objective:
    """The ranking loss over all vectors of a step, and what is measured with the same encoders on the way."""

    def __init__(self, model: Retriever, settings):
        self.model, self.temperature = model, settings.temperature
        self.precision = partial(precision, settings.precision, model.passages.backbone)

    def __call__(self, batch: Batch) -> dict[str, float]:
        targets, masked = batch.labels

        def loss(vectors: Tensor) -> Tensor:
            return ranking_loss(*vectors.split(masked.shape), targets, masked, self.temperature)

        return {"ranking": gradient_cache.backward(batch, self._encode, self.model.dimension, loss)}

    def _encode(self, chunk: Chunk, whole: bool) -> tuple[Tensor, None]:
        encoder = self.model.queries if chunk.queries else self.model.passages
        with dropout.keyed(self.model, chunk.keys), self.precision():
            return encoder(chunk.ids, chunk.mask), None

    def measure(self, proxy: Proxy, query_special: Special, special: Special, tokens: int) -> dict[str, float]:
        with self.precision():
            return proxy.measure(self.model, query_special, special, tokens)
