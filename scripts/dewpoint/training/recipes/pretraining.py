"""What the pre-training recipes share: where a model starts, its text, its objective, what is measured on the way.

L = Σ_losses Σ_masked CE / (number masked in the batch)  +  the contrast between its vectors, for coCondenser
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.masking import WordMasker, continuations
from dewpoint.data.streams import Blocks, SpanPairs, join
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Slices, TokenStore
from dewpoint.errors import UserError
from dewpoint.models import dropout
from dewpoint.models.backbone import chosen, from_scratch, load_language_model, pick_device, precision
from dewpoint.models.condenser import Pretrained
from dewpoint.models.vocabulary import word_loss, word_scores
from dewpoint.training import gradient_cache, loop
from dewpoint.training.chunks import Batch, Chunk, batch, budget, chunks
from dewpoint.training.devices import total

log = logging.getLogger(__name__)

HELD_OUT_TOKENS = 65_536  # that a measurement reads, at most
HELD_OUT_STEP = 2**40  # keys of held-out rows are like those of no step


def start(settings, tokenizer: Path, parent: Path | None):
    """The language model that training starts from: new, a node of the study, a folder or a hub id."""
    torch.manual_seed(settings.seed)
    if settings.source == "scratch":
        words = load_tokenizer(tokenizer.parent)
        return from_scratch(settings.architecture, len(words), words.pad_token_id)
    return load_language_model(parent.parent if parent else settings.source)


def pretrain(
    model: Pretrained,
    kind: type[Blocks] | type[SpanPairs],
    artifact: Artifact,
    settings,
    dataset: Path,
    tokens: Path,
    tokenizer: Path,
    chunk: int,
    checkpoint: int,
    unit: str = "document",
    contrast: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """Train `model` on the dataset's text, in rows of a `kind` of stream, and save it with its tokenizer."""
    store, words, chunk = TokenStore(tokens), load_tokenizer(tokenizer.parent), budget(chunk, pick_device())
    units = Dataset(dataset).documents() if unit == "document" else None
    documents = join(store.column("corpus"), store.sentences(), units)
    training, held_out = documents.split(settings.held_out, settings.seed)
    dropout.install(model, model.language_model)
    masker = WordMasker(store.special, continuations(words))
    stream = kind(documents, training, settings.length, settings.batch_size, settings.seed)

    def masked(texts: list[Slices], step: int) -> Batch:
        parts = chunks(texts, store.special, chunk, settings.seed, step, masker=masker)
        return batch(len(texts[0].counts), parts, chunk)

    objective = Objective(model, settings, contrast)
    measure = None
    if settings.held_out and settings.measurements:
        try:
            rows = HELD_OUT_TOKENS // (settings.length * kind.ROWS)
            texts = kind(documents, held_out, settings.length, rows, settings.seed).batch(0)
        except UserError:
            log.warning("warning: no text is long enough and held out; nothing is measured on the way")
        else:
            measure = partial(objective.measure, masked(texts, HELD_OUT_STEP))

    loop.train(
        model,
        lambda step: masked(stream.batch(step), step),
        objective,
        settings,
        settings.steps,
        artifact,
        checkpoint,
        measure,
    )
    artifact.facts |= {"precision": chosen(settings.precision, model.language_model)}
    model.save(artifact.path("."))
    words.save_pretrained(artifact.path("."))


class Objective:
    """The losses of a batch of masked rows: words, and a contrast between the rows' vectors when there is one."""

    def __init__(self, model: Pretrained, settings, contrast: Callable[[Tensor], Tensor] | None = None):
        self.model, self.settings, self.contrast = model, settings, contrast
        self.dimension = model.language_model.config.hidden_size

    def __call__(self, batch: Batch) -> dict[str, float]:
        """Run backward over all chunks; the losses of the whole batch."""
        masked = total(torch.tensor(float(sum(len(chunk.at) for chunk in batch.chunks)), device=batch.device))
        sums: dict[str, Tensor] = {name: torch.zeros((), device=batch.device) for name in self.model.losses}

        def encode(chunk: Chunk, whole: bool) -> tuple[Tensor, Tensor | None]:
            with dropout.keyed(chunk.keys), precision(self.settings.precision, self.model.language_model):
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
        return found | {name: total(value).item() for name, value in sums.items()}

    @torch.no_grad()
    def measure(self, batch: Batch) -> dict[str, float]:
        """Losses on held-out rows, the share of masked words and of sibling spans that are found."""
        self.model.eval()
        batch, names = batch.to(pick_device()), self.model.losses
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
        masked, *values = total(sums).tolist()
        found = {f"held_out_{name}": values[2 * index] / masked for index, name in enumerate(names)}
        found |= {f"held_out_{name}_accuracy": values[2 * index + 1] / masked for index, name in enumerate(names)}
        if self.contrast:
            vectors = total(vectors)
            nearest = (vectors @ vectors.T).fill_diagonal_(-torch.inf).argmax(1).cpu()
            found["held_out_contrast"] = self.contrast(vectors).item()
            found["held_out_span_accuracy"] = (nearest == torch.arange(len(nearest)) ^ 1).float().mean().item()
        return found
