"""`seq2seq`: a T5 that others have trained, taken into the study as it is, to write queries or to judge passages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import TEXTS, Inputs, Node, Resources
from dewpoint.study.types import Count


class Seq2seq(Node):
    """A T5 that others have trained, as it is."""

    resources: ClassVar[Resources] = Resources(mem_mb=16_000, runtime=60)
    writes: ClassVar[bool] = True
    cites: ClassVar[tuple[str, ...]] = ("raffel2020t5",)

    recipe: Literal["seq2seq"]
    query_length: Annotated[Count, TEXTS] = Field(64, ge=3, description="tokens of a query, special ones included")
    passage_length: Annotated[Count, TEXTS] = Field(512, ge=5, description="tokens of a passage, special ones included")
    query_cut: Annotated[Literal["right"], TEXTS] = Field("right", description="a query that is too long loses its end")
    title: Annotated[Literal["prefix", "none"], TEXTS] = Field(
        "prefix", description="a passage's title: right before the text, or left out"
    )

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.from_ == "scratch" or self.from_ in study.models:
            yield "from", "a T5 that others have trained is from hub:ORG/NAME or path:DIR"

    def inputs(self, graph, name: str) -> Inputs:
        return {"tokenizer": [graph.tokenizer(name)]}

    def operations(self, sizes, name: str) -> float:
        """Of reading its weights."""
        return 2 * sizes.weights(name)


def work(artifact: Artifact, settings, tokenizer: Path) -> None:
    from dewpoint.data.pretrained import revisions
    from dewpoint.data.tokenizer import load_tokenizer
    from dewpoint.errors import UserError
    from dewpoint.models.backbone import load_seq2seq
    from dewpoint.models.weights import write_model

    model, words = load_seq2seq(settings.source), load_tokenizer(tokenizer.parent)
    if len(words) > model.config.vocab_size:
        raise UserError(f"{settings.source}: {len(words):,} words, but vectors of {model.config.vocab_size:,}")
    write_model(model, artifact.path("."))
    words.save_pretrained(artifact.path("."))
    artifact.facts |= revisions(revision=settings.source)
    artifact.facts |= {"parameters": sum(parameter.numel() for parameter in model.parameters())}
