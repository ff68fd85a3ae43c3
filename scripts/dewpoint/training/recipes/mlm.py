"""`mlm`: BERT's masked language modelling, whole words."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.streams import Blocks
from dewpoint.models.condenser import Pretrained
from dewpoint.training.recipes.pretraining import pretrain, start


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
    model = Pretrained(start(settings, tokenizer, parent))
    pretrain(model, Blocks, artifact, settings, dataset, tokens, tokenizer, chunk, checkpoint)
