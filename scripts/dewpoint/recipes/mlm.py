"""`mlm`: BERT's masked language modelling, whole words."""

from typing import ClassVar, Literal

from dewpoint.artifact import Artifact
from dewpoint.recipes._pretraining import Pretraining
from dewpoint.training.given import Pace, Text


class Mlm(Pretraining):
    """BERT's masked language modelling with whole words."""

    cites: ClassVar[tuple[str, ...]] = ("devlin2019bert",)

    recipe: Literal["mlm"]


def work(artifact: Artifact, settings, text: Text, pace: Pace) -> None:
    from dewpoint.data.streams import Blocks
    from dewpoint.models.condenser import Pretrained
    from dewpoint.training.pretraining import Reading, pretrain, start

    reading = Reading.of(text)
    pretrain(artifact, settings, reading, Pretrained(start(settings, reading.store, text.parent)), Blocks, pace)
