"""What is trained to encode a query and its passages each alone, and is told how near they should be."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from dewpoint.recipes._retrieval import Development, Ranking, Sided
from dewpoint.study.bases import QUERIES, Asked, Inputs
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
    development: Development | None = Field(None, description="left out: nothing is measured on the way")

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
        made = super().inputs(graph, name) | {f"in_batch_teacher_{what}": made for what, made in taught.items()}
        return made | {"development": [graph.run(*of) for key, *of in self.asks() if key == "development"]}

    def asks(self) -> Iterator[Asked]:
        yield from super().asks()
        for ranker in self._developed_on:
            yield "development", ranker, self.data, self.development.split

    @property
    def _developed_on(self) -> list[str]:
        """The rankers whose runs it is measured on while it is trained."""
        if not self.development:
            return []
        return [self.development.rerank] if self.development.rerank else self.negatives

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
        if self.development:
            if wrong := study.lacks_split(self.data, self.development.split):
                yield "development.split", wrong
            yield from self.too_deep(study, "development.depth", self.development.depth, self._developed_on)

    def small(self) -> dict[str, Any]:
        return super().small() | {"development": self.development and self.development.small()}

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
    development: list[Path]
