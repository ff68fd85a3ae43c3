"""`mlm`: BERT's masked language modelling, whole words."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.streams import Blocks
from dewpoint.data.tokens import TokenStore
from dewpoint.models.condenser import Pretrained
from dewpoint.training.recipes.pretraining import recipe, start


def build(artifact: Artifact, settings, store: TokenStore, parent: Path | None) -> Pretrained:
    return Pretrained(start(settings, store, parent))


train = recipe(build, Blocks)
