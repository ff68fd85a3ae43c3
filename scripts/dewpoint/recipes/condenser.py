"""`condenser`: masked words predicted by a head that must go through the late CLS.

L = Σ_masked CE(W h_cd_i, x_i) + Σ_masked CE(W h_late_i, x_i), over their number in the batch
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.recipes._pretraining import Pretraining
from dewpoint.study.types import Count
from dewpoint.training.given import Pace, Text


class Condenser(Pretraining):
    """Masked words predicted through the late CLS."""

    cites: ClassVar[tuple[str, ...]] = ("gao2021condenser",)

    recipe: Literal["condenser"]
    early_layers: Count = Field(6, description="layers before the split; the rest are late")
    head_layers: Count = Field(2, description="layers of the head")
    late_mlm: bool = Field(True, description="words are predicted from the backbone's last layer, too")

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        shape = study.shape(self)
        if shape and self.early_layers >= shape.layers:
            yield "early_layers", f"{self.early_layers} of {shape.layers} layers leave none after the split"

    def small(self) -> dict[str, Any]:
        return super().small() | {"early_layers": 1, "head_layers": 1}

    def operations(self, sizes, name: str) -> float:
        return super().operations(sizes, name) * (1 + self.head_layers / sizes.shape(name)[0])


def work(artifact: Artifact, settings, text: Text, pace: Pace) -> None:
    from dewpoint.data.streams import Blocks
    from dewpoint.training.pretraining import Reading, pretrain

    reading = Reading.of(text)
    pretrain(artifact, settings, reading, build(artifact, settings, reading.store, text.parent), Blocks, pace)


def build(artifact: Artifact, settings, store, parent: Path | None):
    """The parent's backbone, with the parent's head when it has one."""
    from dewpoint.models.condenser import Condenser as Model
    from dewpoint.training.pretraining import start

    model = Model(start(settings, store, parent), settings.early_layers, settings.head_layers, settings.late_mlm)
    if settings.source != "scratch":
        artifact.facts |= {"head": model.load_head(parent.parent if parent else settings.source)}
    return model
