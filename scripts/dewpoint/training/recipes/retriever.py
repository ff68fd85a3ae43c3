"""`retriever`: a query's positive against its negatives and every other passage of the batch."""

from pathlib import Path

import torch

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives
from dewpoint.data.streams import RetrieverBatches
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.models import dropout
from dewpoint.models.backbone import chosen, pick_device, precision
from dewpoint.models.encoder import Encoder
from dewpoint.models.export import save_retriever
from dewpoint.training import gradient_cache, loop
from dewpoint.training.chunks import Batch, Chunk, batch, budget, chunks
from dewpoint.training.losses import ranking_loss


def train(
    artifact: Artifact,
    settings,
    dataset: Path,
    tokens: Path,
    tokenizer: Path,
    negatives: Path,
    parent: Path | None,
    chunk: int,
    checkpoint: int,
) -> None:
    store, words, chunk = TokenStore(tokens), load_tokenizer(tokenizer.parent), budget(chunk, pick_device())
    model = Encoder(parent.parent if parent else settings.source)
    dropout.install(model, model.backbone)
    stream = RetrieverBatches(
        store.queries(settings.split),
        store.passages(),
        Dataset(dataset).positives(settings.split),
        read_negatives(negatives),
        settings,
        settings.seed,
    )

    def step_batch(step: int) -> Batch:
        """Queries are the batch's first rows, passages follow."""
        made = stream.batch(step)
        queries, passages = len(made.targets), made.masked.shape[1]
        parts = chunks(made.queries, store.special, chunk, settings.seed, step)
        parts += chunks(made.passages, store.special, chunk, settings.seed, step, first=queries)
        return batch(queries + passages, parts, chunk, made.targets, made.masked)

    def encode(part: Chunk, whole: bool) -> tuple[torch.Tensor, None]:
        with dropout.keyed(part.keys), precision(settings.precision, model.backbone):
            return model(part.ids, part.mask), None

    def objective(made: Batch) -> dict[str, float]:
        targets, masked = made.labels

        def loss(vectors: torch.Tensor) -> torch.Tensor:
            queries, passages = vectors.split(masked.shape)
            return ranking_loss(queries, passages, targets, masked, settings.temperature)

        return {"ranking": gradient_cache.backward(made, encode, model.dimension, loss)}

    steps = settings.epochs * stream.epochs.steps
    loop.train(model, step_batch, objective, settings, steps, artifact, checkpoint)
    artifact.facts |= {"instances": stream.epochs.count, "precision": chosen(settings.precision, model.backbone)}
    save_retriever(artifact.path("."), model, words, settings)
