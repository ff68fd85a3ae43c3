"""What is trained to encode a query and its passages each alone, and is told how near they should be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from dewpoint.recipes._retrieval import Ranking, Sided
from dewpoint.study.bases import QUERIES, Inputs
from dewpoint.study.kind import Names
from dewpoint.study.sizes import QUERY_TOKENS
from dewpoint.study.types import Label
from dewpoint.training.given import InBatchTeacher, Instances, Side


class Encoding(Sided, Ranking):
    """A query's positive against its negatives and the other passages of the batch, by vectors of each text."""

    in_batch: bool = Field(True, description="the other queries' passages are negatives, too")
    in_batch_teacher: Annotated[Label | None, Names("models")] = Field(
        None,
        description="a retriever or colbert that scores each batch's queries and passages as they come; the loss "
        "follows it in place of `teacher`, and a loss that is pairwise, too, both",
    )

    @model_validator(mode="after")
    def something_to_contrast(self):
        if not self.in_batch and not self.beside:
            raise ValueError("in_batch: false leaves a query nothing to tell its positive from; name negatives")
        if self.batch_size == 1 and not self.beside:
            raise ValueError("batch_size: 1 leaves a query nothing to tell its positive from; name negatives")
        return self

    def inputs(self, graph, name: str) -> Inputs:
        teacher = self.in_batch_teacher
        taught = {
            "model": [graph.model(teacher)] if teacher else [],
            "tokens": [graph.tokens(teacher, self.data)] if teacher else [],
            "query_tokens": [graph.tokens(teacher, self.data, QUERIES)] if teacher else [],
        }
        return super().inputs(graph, name) | {f"in_batch_teacher_{what}": made for what, made in taught.items()}

    @property
    def follows(self) -> bool:
        alone = not self.in_batch_teacher
        return self.loss.taught and (alone or (self.loss.pairwise and self.teacher is not None))

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.in_batch_teacher:
            if not study.models[self.in_batch_teacher].ranker:
                yield "in_batch_teacher", f"'{self.in_batch_teacher}' is no retriever; name a retriever or a colbert"
            if not self.loss.taught:
                yield "in_batch_teacher", f"loss '{self.loss.name}' does not follow it; in-batch-margin-mse would"

    def operations(self, sizes, name: str) -> float:
        passage = sizes.passage_tokens(self.data, self.passage_length)

        def forward(model: str) -> float:
            return sizes.forward(model, QUERY_TOKENS) + (1 + self.beside) * sizes.forward(model, passage)

        taught = forward(self.in_batch_teacher) if self.in_batch_teacher else 0
        return (3 * forward(name) + taught) * self.instances(sizes)


@dataclass(frozen=True)
class Encoded(Instances):
    passages: Side
    queries: Side
    in_batch_teacher: InBatchTeacher
