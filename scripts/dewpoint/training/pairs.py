"""Training on pairs of texts: a retriever's, by another stream."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives
from dewpoint.data.pair_streams import MADE, Judged
from dewpoint.data.tokens import TokenStore, query_reading
from dewpoint.training.given import Pace, Watched
from dewpoint.training.proxy import Proxy
from dewpoint.training.ranking import Reading, Stream, fit


def train(artifact: Artifact, settings, given, pace: Pace, loss: Callable[..., Tensor]) -> None:
    """`loss(scores, known)` is of a whole batch."""
    reading = Reading.of(settings, given)
    proxy = watching(settings, given.watched, reading) if settings.development else None
    stream = stream_of(settings, given, reading)
    fit(artifact, settings, given.dataset, pace, reading, stream, settings.steps, loss, proxy)


def watching(settings, watched: Watched, reading: Reading) -> Proxy:
    """What it is measured on, which is of another dataset or split."""
    asked = reading.of_queries(TokenStore(watched.query_tokens), settings.development.split, settings.query_length)
    passages = reading.of_passages(TokenStore(watched.tokens))
    return Proxy(Dataset(watched.dataset), watched.runs, asked, passages, settings)


def stream_of(settings, given, reading: Reading) -> Stream:
    """The pairs of the task."""
    data, passages = Dataset(given.dataset), reading.of_passages(reading.store)
    if settings.task in MADE:
        how = {"length": settings.query_length, "prefix": reading.prefixes[1], **query_reading(settings)}
        queries = partial(reading.store.as_queries, **how)
        return MADE[settings.task](data, reading.store, queries, passages, settings)
    queries = reading.of_queries(reading.query_store, settings.split, settings.query_length)
    negatives = read_negatives(given.negatives) if given.negatives else None
    return Judged(data, queries, passages, negatives, settings)
