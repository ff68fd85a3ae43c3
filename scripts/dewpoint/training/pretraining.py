"""What the pre-training recipes share: where a model starts, its text, its objective, what is measured on the way.

L = Σ_losses Σ_masked CE / (number masked in the batch)  +  the contrast between its vectors, for coCondenser
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.masking import WordMasker, continuations
from dewpoint.data.pretrained import revisions
from dewpoint.data.streams import Blocks, SpanPairs, join
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Slices, TokenStore
from dewpoint.errors import UserError
from dewpoint.models import dropout, parts
from dewpoint.models.backbone import from_scratch, load_language_model
from dewpoint.models.condenser import Pretrained
from dewpoint.models.device import device_of, precision, precision_in_use, take_device
from dewpoint.models.vocabulary import word_loss, word_scores
from dewpoint.training import given, gradient_cache, loop
from dewpoint.training.chunks import Batch, Chunk, Room, batch, chunks, room
from dewpoint.training.devices import summed

log = logging.getLogger(__name__)

HELD_OUT_TOKENS = 65_536  # that a measurement reads, at most
HELD_OUT_STEP = 2**40  # keys of held-out rows are like those of no step


def start(settings, store: TokenStore, parent: Path | None):
    """The language model that training starts from: new, a node of the study, a folder or a hub id."""
    torch.manual_seed(settings.seed)
    if settings.source == "scratch":
        return from_scratch(settings.architecture, store.vocabulary, store.special["pad"])
    return load_language_model(parent.parent if parent else settings.source)


@dataclass
class Reading:
    """What a recipe reads, opened."""

    dataset: Dataset
    store: TokenStore
    words: PreTrainedTokenizerBase

    @classmethod
    def of(cls, text: given.Text) -> "Reading":
        return cls(Dataset(text.dataset), TokenStore(text.tokens), load_tokenizer(text.tokenizer.parent))


@dataclass
class Spans:
    """A contrast between spans of documents: a span's sibling, in row i ^ 1, against the spans of all others."""

    loss: Callable
    settings: Any

    def __call__(self, spans: Tensor) -> Tensor:
        row = torch.arange(len(spans), device=spans.device)
        known = {"targets": row ^ 1, "masked": torch.eye(len(spans), dtype=torch.bool, device=spans.device)}
        return self.loss(spans @ spans.T, known, self.settings)


def pretrain(
    artifact: Artifact,
    settings,
    reading: Reading,
    model: Pretrained,
    kind: type[Blocks] | type[SpanPairs],
    pace: given.Pace,
    contrast: Spans | None = None,
) -> None:
    """Train `model` on rows of a kind, with a contrast between them when there is one, and save it."""
    known = parts.positions(model.language_model)
    if known is not None and settings.length > known:
        raise UserError(f"length {settings.length}, but the model has {known} positions")
    dropout.install(model, model.language_model)
    space = room(pace.chunk, take_device(), model.language_model.config)
    text = Text(settings, kind, reading.dataset, reading.store, continuations(reading.words), space)
    objective = Objective(model, settings, contrast)
    held_out = text.held_out() if settings.held_out and settings.measurements else None
    measuring = loop.Measuring(partial(objective.measure, held_out), settings.measurements) if held_out else None
    loop.train(model, text.batch, objective, settings, settings.steps, artifact, pace.checkpoint, measuring)
    artifact.facts |= {"precision": precision_in_use(settings.precision, model.language_model)}
    artifact.facts |= revisions(revision=settings.source)
    model.save(artifact.path("."))
    reading.words.save_pretrained(artifact.path("."))


class Text:
    """What a recipe reads: a dataset's documents as masked rows, a part of them held out."""

    def __init__(self, settings, kind, dataset: Dataset, store: TokenStore, continues: np.ndarray, room: Room):
        self.settings, self.kind, self.room = settings, kind, room
        self.masker, self.special = WordMasker(store.special, continues), store.special
        by_passage = kind is SpanPairs and settings.spans_of == "passage"
        units = None if by_passage else dataset.documents()
        self.documents = join(store.column("corpus"), store.sentences(), units)
        training, self.kept = self.documents.split(settings.held_out)
        self.stream = kind(self.documents, training, settings.length, settings.batch_size, settings.seed)

    def batch(self, step: int) -> Batch:
        return self._masked(self.stream.batch(step), step)

    def held_out(self) -> Batch | None:
        """One batch of text that is never trained on, always the same; none when too little is held out."""
        rows = HELD_OUT_TOKENS // (self.settings.length * self.kind.ROWS)
        try:
            stream = self.kind(self.documents, self.kept, self.settings.length, rows, self.settings.seed)
        except UserError:
            log.warning("warning: no text is long enough and held out; nothing is measured on the way")
            return None
        return self._masked(stream.batch(0), HELD_OUT_STEP)

    def _masked(self, texts: list[Slices], step: int) -> Batch:
        parts = chunks(texts, self.special, self.room.chunk, self.settings.seed, step, masker=self.masker)
        return batch(len(texts[0].counts), parts, self.room.held)


class Objective:
    """The losses of a batch of masked rows: words, and a contrast between the rows' vectors when there is one."""

    def __init__(self, model: Pretrained, settings, contrast: Callable[[Tensor], Tensor] | None = None):
        self.model, self.settings, self.contrast = model, settings, contrast
        self.dimension = model.language_model.config.hidden_size

    def __call__(self, batch: Batch) -> dict[str, float]:
        """Run backward over all chunks; the losses of the whole batch."""
        masked = summed(torch.tensor(float(sum(len(chunk.at) for chunk in batch.chunks)), device=batch.device))
        sums: dict[str, Tensor] = {name: torch.zeros((), device=batch.device) for name in self.model.losses}

        def encode(chunk: Chunk, whole: bool) -> tuple[Tensor, Tensor | None]:
            with dropout.keyed(self.model, chunk.keys), precision(self.settings.precision, self.model.language_model):
                if not whole or not sums:
                    return self.model.vectors(chunk.ids, chunk.mask), None
                hidden, vectors = self.model(chunk.ids, chunk.mask, chunk.at)
                targets = chunk.targets.repeat(len(hidden))
                together = torch.cat(list(hidden.values()))
                loss, each = word_loss(self.model.language_model, together, targets, 1 / masked)
            for name, part in zip(hidden, each.split(len(chunk.at)), strict=True):
                sums[name] += part.sum() / masked
            return vectors, loss

        found = {}
        if self.contrast:
            found["contrast"] = gradient_cache.backward(batch, encode, self.dimension, self.contrast)
        else:
            for chunk in batch.chunks:
                encode(chunk, True)[1].backward()
        return found | {name: summed(value).item() for name, value in sums.items()}

    @torch.no_grad()
    def measure(self, batch: Batch) -> dict[str, float]:
        """Losses on held-out rows, the share of masked words and of sibling spans that are found."""
        self.model.eval()
        batch, names = batch.to(device_of(self.model)), self.model.losses
        sums = torch.zeros(1 + 2 * len(names), device=batch.device)
        vectors = torch.zeros(batch.rows, self.dimension, device=batch.device)
        for chunk in batch.chunks:
            with precision(self.settings.precision, self.model.language_model):
                hidden, part = self.model(chunk.ids, chunk.mask, chunk.at)
                scores = [word_scores(self.model.language_model, hidden[name], chunk.targets) for name in names]
            vectors[chunk.rows] = part.float()
            sums[0] += len(chunk.at)
            for index, (loss, right) in enumerate(scores):
                sums[1 + 2 * index] += loss.sum()
                sums[2 + 2 * index] += right.sum()
        self.model.train()
        masked, *values = summed(sums).tolist()
        found = {f"held_out_{name}": values[2 * index] / masked for index, name in enumerate(names)}
        found |= {f"held_out_{name}_accuracy": values[2 * index + 1] / masked for index, name in enumerate(names)}
        if self.contrast:
            vectors = summed(vectors)
            nearest = (vectors @ vectors.T).fill_diagonal_(-torch.inf).argmax(1).cpu()
            found["held_out_contrast"] = self.contrast(vectors).item()
            found["held_out_span_accuracy"] = (nearest == torch.arange(len(nearest)) ^ 1).float().mean().item()
        return found
