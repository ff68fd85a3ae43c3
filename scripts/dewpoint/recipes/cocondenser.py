"""`cocondenser`: Condenser plus a contrast between spans, so that passages of one document lie together.

L = loss of the spans' scores + Σ_masked (head MLM + late MLM) / number masked        2n spans of n documents a step
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.losses.contrast import Contrast
from dewpoint.recipes.condenser import Condenser, build
from dewpoint.study.kind import any_of, work_of
from dewpoint.training.given import Pace, Text


class CoCondenser(Condenser):
    """Condenser with a contrast between spans of documents; a batch is so many documents, two spans each."""

    cites: ClassVar[tuple[str, ...]] = ("gao2021condenser", "gao2022cocondenser")

    recipe: Literal["cocondenser"]
    spans_of: Literal["document", "passage"] = Field("document", description="what two sibling spans are cut from")
    loss: any_of("losses", by_name=True) = Field(
        Contrast(name="contrast"), description="of each span's scores with all others; its sibling is the positive"
    )
    mlm: bool = Field(True, description="false: the contrast alone")

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.batch_size == 1:
            yield "batch_size", "1 document a step leaves its spans nothing to be told from; take more"
        if self.loss.taught:
            yield "loss", f"'{self.loss.name}' follows a teacher, and spans have none; contrast needs none"

    def operations(self, sizes, name: str) -> float:
        """Two spans of a document, and a forward pass more for the gradient cache."""
        return super().operations(sizes, name) * 2 * 4 / 3


def work(artifact: Artifact, settings, text: Text, pace: Pace) -> None:
    from dewpoint.data.streams import SpanPairs
    from dewpoint.training.pretraining import Reading, Spans, pretrain

    reading = Reading.of(text)
    model = build(artifact, settings, reading.store, text.parent)
    if not settings.mlm:
        model.without_words()
    spans = Spans(work_of("losses", settings.loss.name), settings.loss)
    pretrain(artifact, settings, reading, model, SpanPairs, pace, spans)
