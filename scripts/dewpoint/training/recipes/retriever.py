"""`retriever`: a query's positive against its negatives and every other passage of the batch."""

from pathlib import Path

import numpy as np
import torch

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives
from dewpoint.data.streams import RetrieverBatch, RetrieverBatches
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.models.encoder import Encoder
from dewpoint.models.export import save_retriever
from dewpoint.training import gradient_cache, loop
from dewpoint.training.losses import ranking_loss


def train(
    artifact: Artifact,
    settings,
    dataset: Path,
    tokens: Path,
    tokenizer: Path,
    negatives: Path,
    parent: Path | None,
) -> None:
    store, words = TokenStore(tokens), load_tokenizer(tokenizer.parent)
    model = Encoder(parent.parent if parent else settings.source)
    stream = RetrieverBatches(
        store.queries(settings.split),
        store.passages(),
        Dataset(dataset).positives(settings.split),
        read_negatives(negatives),
        settings,
        store.special,
        settings.seed,
    )

    def objective(batch: RetrieverBatch, step: int) -> dict[str, float]:
        sides = (batch.queries, batch.passages)
        chunks = [chunk for ids in sides for chunk in np.array_split(ids, -(-len(ids) // (settings.chunk or len(ids))))]
        targets, masked = (torch.from_numpy(x).to(model.backbone.device) for x in (batch.targets, batch.masked))

        def encode(ids: np.ndarray, whole: bool):
            return model(*model.inputs(ids, store.special["pad"])), None

        def loss(vectors: torch.Tensor) -> torch.Tensor:
            query, passage = vectors.split([len(ids) for ids in sides])
            return ranking_loss(query, passage, targets, masked, settings.temperature)

        return {"ranking": gradient_cache.backward(chunks, encode, loss, settings.seed + step, bool(settings.chunk))}

    loop.train(model, stream.batch, objective, settings, settings.epochs * stream.epochs.steps, artifact)
    artifact.facts |= {"instances": stream.epochs.count}
    save_retriever(artifact.path("."), model, words, settings)
