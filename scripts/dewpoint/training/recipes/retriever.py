"""`retriever`: a query's positive against its negatives and every other passage of the batch."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.instances import RetrieverBatches, pick_queries
from dewpoint.data.negatives import read_negatives
from dewpoint.data.tokenizer import load_tokenizer, prefix_ids
from dewpoint.data.tokens import TokenStore
from dewpoint.models import dropout
from dewpoint.models.backbone import chosen, pick_device, precision
from dewpoint.models.card import card
from dewpoint.models.encoder import Retriever
from dewpoint.models.folder import read_retriever, write_retriever
from dewpoint.training import gradient_cache, loop, proxy
from dewpoint.training.chunks import Batch, Chunk, batch, chunks, room
from dewpoint.training.losses import ranking_loss


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
    prefix = prefix_ids(words, settings.passage_prefix, settings.passage_length)
    query_prefix = prefix_ids(query_words, settings.query_prefix, settings.query_length)
    model = start(settings, parent, query_parent)
    model.passages.fit(store.vocabulary, settings.passage_length, "passages")
    model.queries.fit(query_store.vocabulary, settings.query_length, "queries")
    passages = store.passages(settings.passage_length, prefix, settings.title)
    queries = partial(query_store.queries, length=settings.query_length, prefix=query_prefix)
    judged = data.positives(settings.split)
    held_out = np.zeros(0, int)
    if settings.development and settings.development.split == settings.split:
        held_out = proxy.development_queries(data, settings)
    stream = RetrieverBatches(
        queries(settings.split),
        passages,
        judged,
        read_negatives(negatives) if negatives else None,
        pick_queries(judged[0], settings.train_queries, held_out, settings.seed),
        settings,
    )
    space = room(chunk, pick_device(), model.passages.backbone.config)
    low = partial(precision, settings.precision, model.passages.backbone)
    measuring = None
    if settings.development:
        small = proxy.Proxy(data, development, queries(settings.development.split), passages, settings)

        def measure() -> dict[str, float]:
            with low():
                return small.measure(model, (query_store.special, store.special), space.chunk)

        wanted = settings.development
        measuring = loop.Measuring(measure, wanted.measurements, proxy.MEASURE, wanted.keep == "best", wanted.patience)

    def step_batch(step: int) -> Batch:
        """Queries are the batch's first rows, passages follow."""
        made = stream.batch(step)
        asked, shown = made.masked.shape
        parts = chunks(made.queries, query_store.special, space.chunk, settings.seed, step, queries=True)
        parts += chunks(made.passages, store.special, space.chunk, settings.seed, step, first=asked)
        return batch(asked + shown, parts, space.held, made.targets, made.masked)

    def encode(part: Chunk, whole: bool) -> tuple[torch.Tensor, None]:
        encoder = model.queries if part.queries else model.passages
        with dropout.keyed(part.keys), low():
            return encoder(part.ids, part.mask), None

    def objective(made: Batch) -> dict[str, float]:
        targets, masked = made.labels

        def loss(vectors: torch.Tensor) -> torch.Tensor:
            return ranking_loss(*vectors.split(masked.shape), targets, masked, settings.temperature)

        return {"ranking": gradient_cache.backward(made, encode, model.dimension, loss)}

    steps = settings.epochs * stream.epochs.steps
    loop.train(model, step_batch, objective, settings, steps, artifact, checkpoint, measuring)
    artifact.facts |= stream.facts | {
        "retrieves": True,
        "precision": chosen(settings.precision, model.passages.backbone),
    }
    write_retriever(artifact.path("."), model, (words, query_words), settings, card(artifact, settings, dataset))


def start(settings, parent: Path | None, query_parent: Path | None) -> Retriever:
    """The encoders that training starts from: nodes of the study, folders or hub ids."""
    model = read_retriever(
        parent.parent if parent else settings.source, query_parent.parent if query_parent else settings.query_source
    )
    model.shape(settings.pooling, settings.normalize, settings.projection, settings.seed)
    dropout.install(model, *(encoder.backbone for encoder in model.encoders))
    return model
