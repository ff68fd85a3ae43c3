"""`monot5`: mono-T5, a T5 that learns to answer whether a passage is relevant to a query, true or false.

L = -1/n Σ_i 1/k Σ_j log P(word_ij | Query: q_i Document: p_ij Relevant:)        true of a positive, false of negatives
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.data.prompts import ROOM
from dewpoint.losses.binary import Binary
from dewpoint.recipes._retrieval import Ranking, loss_and_batches
from dewpoint.study.bases import TEXTS
from dewpoint.study.kind import any_of
from dewpoint.study.sizes import QUERY_TOKENS
from dewpoint.study.types import Count
from dewpoint.training.given import Instances, Pace, Text


class TrainedMonoT5(Ranking):
    """mono-T5: a T5 that learns to answer whether a passage is relevant; a ranker of kind `monot5` asks it."""

    writes: ClassVar[bool] = True
    cites: ClassVar[tuple[str, ...]] = ("nogueira2020monot5",)

    recipe: Literal["monot5"]
    query_length: Annotated[Count, TEXTS] = Field(64, ge=3, description="tokens of a query in a question")
    query_cut: Annotated[Literal["right"], TEXTS] = Field("right", description="a query that is too long loses its end")
    passage_length: Annotated[Count, TEXTS] = Field(
        512, ge=5, description="tokens of a question, the query, the passage and its own words included"
    )
    title: Annotated[Literal["prefix", "none"], TEXTS] = Field(
        "prefix", description="a passage's title: right before the text, or left out"
    )
    negatives_per_query: Count = Field(1, description="negatives beside each query's positive in a batch")
    loss: any_of("losses", by_name=True) = Field(
        Binary(name="binary"), description="of log P(true) - log P(false); a name, or {name: …}"
    )
    vocabulary: bool = Field(
        True, description="P is over all words, what others take adds to the loss, as in mono-T5; false: over the two"
    )
    batch_size: Count = Field(64, description="queries")
    learning_rate: float = Field(3e-4, gt=0, description="the highest, after warm-up")

    def work_settings(self, config) -> dict[str, Any]:
        asked = {key: value for key, value in self.settings("texts").items() if key != "query_prefix"}  # not asked with
        return super().work_settings(config) | asked

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        parent = study.models.get(self.from_)
        if self.from_ == "scratch" or (parent and not parent.writes):
            yield "from", "mono-T5 starts from a T5: hub:ORG/NAME, path:DIR, or a model that writes texts"

        if self.passage_length < (least := self.query_length + ROOM):
            yield "passage_length", f"{self.passage_length} tokens hold no passage beside a query; {least} at least"

    def operations(self, sizes, name: str) -> float:
        asked = min(self.passage_length, QUERY_TOKENS + sizes.passage_tokens(self.data, self.passage_length))
        return 3 * (1 + self.beside) * sizes.forward(name, asked) * self.instances(sizes)


@dataclass(frozen=True)
class Given(Instances, Text):
    pass


def work(artifact: Artifact, settings, given: Given, pace: Pace) -> None:
    from dewpoint.training.answering import train

    train(artifact, settings, given, pace, *loss_and_batches(settings, given))
