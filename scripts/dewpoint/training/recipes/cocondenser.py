"""`cocondenser`: Condenser plus a contrast between spans, so that passages of one document lie together.

L = 1/(2n) Σ_ij L_co_ij + Σ_masked (head MLM + late MLM) / number masked        2n spans of n documents a step
"""

from pathlib import Path

from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.streams import SpanPairs
from dewpoint.data.tokens import TokenStore
from dewpoint.models.condenser import Condenser
from dewpoint.training.losses import span_loss
from dewpoint.training.recipes import condenser
from dewpoint.training.recipes.pretraining import recipe


def build(artifact: Artifact, settings, store: TokenStore, parent: Path | None) -> Condenser:
    model = condenser.build(artifact, settings, store, parent)
    if not settings.mlm:
        model.without_words()
    return model


def contrast(spans: Tensor, settings) -> Tensor:
    return span_loss(spans, settings.temperature)


train = recipe(build, SpanPairs, contrast)
