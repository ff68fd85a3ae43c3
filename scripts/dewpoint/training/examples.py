"""Training on examples of texts, each read alone by one encoder: a loss of how alike their vectors are."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.examples import ExampleBatches, ExampleTexts
from dewpoint.data.pretrained import revisions
from dewpoint.data.tokenizer import load_tokenizer, prefix_ids
from dewpoint.data.tokens import Special, TokenStore
from dewpoint.errors import UserError
from dewpoint.models import dropout
from dewpoint.models.device import precision, precision_in_use, take_device
from dewpoint.models.encoder import Retriever
from dewpoint.models.folder import read_retriever, write_retriever
from dewpoint.models.sentence_card import say_similarity, sentence_card
from dewpoint.training import gradient_cache, loop
from dewpoint.training.chunks import Batch, Chunk, Room, batch, chunks, room
from dewpoint.training.given import Pace, Text

log = logging.getLogger(__name__)


class Aim(NamedTuple):
    """What vectors should be."""

    name: str
    loss: Callable[[Tensor, dict[str, Tensor]], Tensor]  # of vectors [examples, texts, dimension], and what is known
    similarity: str  # that it brings about


def train(artifact: Artifact, settings, given: Text, pace: Pace, aim: Aim) -> None:
    """Of a batch its examples' scores are known, from 0 to 1, where they have some."""
    store, words = TokenStore(given.tokens), load_tokenizer(given.tokenizer.parent)
    model = start(settings, given.parent)
    model.check_fits(words, words, settings)
    prefix = prefix_ids(words, settings.passage_prefix, settings.passage_length)
    texts = ExampleTexts(store, settings.split, settings.passage_length, prefix)
    stream = ExampleBatches(Dataset(given.dataset), texts, settings)
    log.info("%s", stream.summary)
    space = room(pace.chunk, take_device(), model.passages.backbone.config)
    rows = Rows(stream, store.special, space, settings.seed)
    objective, steps = Objective(model, settings, texts.each, aim), settings.epochs * stream.epochs.steps
    loop.train(model, rows.batch, objective, settings, steps, artifact, pace.checkpoint)
    artifact.facts |= {"precision": precision_in_use(settings.precision, model.passages.backbone)}
    artifact.facts |= stream.facts | model.facts | {"retrieves": True} | revisions(revision=settings.source)
    described = sentence_card(artifact, settings, given.dataset, aim.similarity)
    write_retriever(artifact.path("."), model, (words, words), settings, described)
    say_similarity(artifact.path("."), aim.similarity)


def start(settings, parent: Path | None) -> Retriever:
    """The encoder that training starts from: a node of the study, a folder or a hub id."""
    source = parent.parent if parent else settings.source
    model = read_retriever(source)
    if not model.tied or model.passages.several:
        has = "a vector for each token" if model.passages.several else "an encoder of queries of its own"
        raise UserError(f"{source}: has {has}; training on examples starts from one encoder, with a vector a text")
    model.set_output(settings.pooling, settings.normalize)
    dropout.install(model, model.passages.backbone)
    return model


class Rows:
    """A step's rows: the texts of its examples, those of an example one after the other."""

    def __init__(self, stream: ExampleBatches, special: Special, room: Room, seed: int):
        self.stream, self.special, self.room, self.seed = stream, special, room, seed

    def batch(self, step: int) -> Batch:
        made = self.stream.batch(step)
        parts = chunks(made.texts, self.special, self.room.chunk, self.seed, step)
        return batch(len(made.texts[0].counts), parts, self.room.held, made.known)


class Objective:
    """A loss over the vectors of a step's examples."""

    def __init__(self, model: Retriever, settings, each: int, aim: Aim):
        self.model, self.each, self.aim = model, each, aim
        self.precision = partial(precision, settings.precision, model.passages.backbone)

    def __call__(self, batch: Batch) -> dict[str, float]:
        def loss(vectors: Tensor) -> Tensor:
            return self.aim.loss(vectors.unflatten(0, (-1, self.each)), batch.labels)

        return {self.aim.name: gradient_cache.backward(batch, self._encode, self.model.dimension, loss)}

    def _encode(self, chunk: Chunk, whole: bool) -> tuple[Tensor, None]:
        with dropout.keyed(self.model, chunk.keys), self.precision():
            return self.model.passages(chunk.ids, chunk.mask), None
