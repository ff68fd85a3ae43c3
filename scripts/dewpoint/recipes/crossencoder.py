"""`crossencoder`: BERT_CAT, a query and a passage read together, the CLS state through one linear layer to a score.

L = 1/n Σ_i loss(s(q_i, p_i1) … s(q_i, p_ik))        p_i1 … p_ik a query's own passages, its positive and its negatives
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import model_validator

from dewpoint.artifact import Artifact
from dewpoint.recipes._retrieval import Ranking, loss_and_batches
from dewpoint.study.sizes import QUERY_TOKENS
from dewpoint.training.given import Instances, Pace, Text


class CrossEncoder(Ranking):
    """BERT_CAT: a query and a passage read together, to one score; a ranker of kind `rerank` asks it."""

    reads: ClassVar[tuple[str, ...]] = ("work", "texts")
    pairs: ClassVar[bool] = True
    cites: ClassVar[tuple[str, ...]] = ("nogueira2019passage",)

    recipe: Literal["crossencoder"]

    @model_validator(mode="after")
    def something_to_contrast(self):
        if not self.beside:
            raise ValueError("a query is scored with its own passages alone; name `negatives`, or negatives_per_query")
        return self

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.from_ == "scratch":
            yield "from", "a cross-encoder starts from another model, not from scratch"
        yield from study.too_long(self, {"passage_length": self.query_length + self.passage_length - 1})

    def operations(self, sizes, name: str) -> float:
        pair = QUERY_TOKENS + sizes.passage_tokens(self.data, self.passage_length)
        return 3 * (1 + self.beside) * sizes.forward(name, pair) * self.instances(sizes)


@dataclass(frozen=True)
class Given(Instances, Text):
    pass


def work(artifact: Artifact, settings, given: Given, pace: Pace) -> None:
    from dewpoint.training.scoring import train

    train(artifact, settings, given, pace, *loss_and_batches(settings, given))
