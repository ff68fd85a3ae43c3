"""`condenser`: masked words predicted by a head that must go through the late CLS.

L = Σ_masked CE(W h_cd_i, x_i) + Σ_masked CE(W h_late_i, x_i), over their number in the batch
"""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.streams import Blocks
from dewpoint.data.tokens import TokenStore
from dewpoint.models.condenser import Condenser
from dewpoint.training.recipes.pretraining import recipe, start


def build(artifact: Artifact, settings, store: TokenStore, parent: Path | None) -> Condenser:
    """The parent's backbone, with the parent's head when it has one."""
    language_model = start(settings, store, parent)
    model = Condenser(language_model, settings.early_layers, settings.head_layers, settings.late_mlm)
    if settings.source != "scratch":
        artifact.facts |= {"head": model.load_head(parent.parent if parent else settings.source)}
    return model


train = recipe(build, Blocks)
