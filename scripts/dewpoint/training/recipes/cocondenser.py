"""`cocondenser`: Condenser plus a contrast between spans, so that passages of one document lie together.

L = 1/(2n) Σ_ij L_co_ij + Σ_masked (head MLM + late MLM) / number masked        2n spans of n documents a step
"""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.streams import SpanPairs
from dewpoint.training.losses import span_loss
from dewpoint.training.recipes.condenser import load
from dewpoint.training.recipes.pretraining import pretrain


def train(
    artifact: Artifact,
    settings,
    dataset: Path,
    tokens: Path,
    tokenizer: Path,
    parent: Path | None,
    chunk: int,
    checkpoint: int,
) -> None:
    model = load(artifact, settings, tokenizer, parent)
    if not settings.mlm:
        model.without_words()
    pretrain(
        model,
        SpanPairs,
        artifact,
        settings,
        dataset,
        tokens,
        tokenizer,
        chunk,
        checkpoint,
        settings.spans_of,
        lambda spans: span_loss(spans, settings.temperature),
    )
