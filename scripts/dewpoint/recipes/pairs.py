"""`pairs`: pre-training of a retriever on pairs of texts, a dataset's own by the million or made of its passages.

L = 1/n Σ_i loss(q_i·p_1 … q_i·p_m)        p over all passages of the step, on all devices; p_i belongs to q_i

Pairs are `judged`, as PAQ's questions and their passages (Oğuz et al., 2021); or `ict`, a sentence and the rest of its
passage (Lee et al., 2019, who keep the sentence in a tenth of them); or `bfs`, a sentence and the first passage of its
document, where Chang et al. (2020) have a sentence of the first section and a passage of the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from dewpoint.artifact import Artifact
from dewpoint.losses.contrast import Contrast
from dewpoint.recipes._nested import Nested
from dewpoint.recipes._retrieval import Development, Mined, Pooled, few
from dewpoint.study.bases import QUERIES, Asked, Inputs
from dewpoint.study.kind import Names, any_of, work_of
from dewpoint.study.sizes import QUERY_TOKENS
from dewpoint.study.types import Count, Label, Name, Once, Share
from dewpoint.training.given import Pace, Side, Watched

KEPT = 0.1


class Watching(Development):
    """What it is measured on while it is trained: a small corpus of a dataset with judged queries."""

    data: Annotated[Name, Names("datasets")] = Field(description="the dataset of its queries and passages")
    rankers: Annotated[list[Label], Names("rankers"), Once] = Field(
        [], description="whose first `depth` passages of each query are in the small corpus"
    )


class Pairs(Pooled, Nested, Mined):
    """Pairs of texts that belong together, against all others of the batch: pre-training of a retriever."""

    cites: ClassVar[tuple[str, ...]] = ("oguz2022paq",)

    recipe: Literal["pairs"]
    task: Literal["judged", "ict", "bfs"] = Field(
        "judged",
        description="judged: a query and its passage; ict: a sentence and the rest of its passage; bfs: a sentence and "
        "the first passage of its document",
    )
    keep: Share = Field(KEPT, description="of ict: how often the sentence is left in its passage")
    train_pairs: Count | Literal["all"] = Field("all", description="drawn at random; fewer are a part of more")
    loss: any_of("losses", by_name=True) = Field(
        Contrast(name="contrast"), description="a name, or {name: …} with what the loss can be told"
    )
    steps: Count = Field(10_000, description="batches trained on")
    batch_size: Count = Field(256, description="pairs")
    learning_rate: float = Field(2e-5, gt=0, description="the highest, after warm-up")
    development: Watching | None = Field(None, description="left out: nothing is measured on the way")

    def cited(self) -> tuple[str, ...]:
        of_task = {"judged": (), "ict": ("lee2019orqa",), "bfs": ("chang2020pretraining",)}
        return super().cited() + of_task[self.task]

    @property
    def made(self) -> bool:
        return self.task != "judged"

    @model_validator(mode="after")
    def what_goes_with_the_task(self):
        if self.keep != KEPT and self.task != "ict":
            raise ValueError("keep goes with task: ict, the only one that takes a sentence out of its passage")
        if self.made and (self.negatives or self.beside or self.split != "train" or self.train_pairs != "all"):
            raise ValueError(
                f"task: {self.task} makes its pairs of passages; negatives, split, train_pairs are of judged"
            )
        if self.batch_size == 1 and not self.beside:
            raise ValueError("batch_size: 1 leaves a query nothing to tell its passage from; take more")
        return self

    def work_settings(self, config) -> dict[str, Any]:
        pairs = None if self.train_pairs == "all" else self.train_pairs
        return super().work_settings(config) | {"train_pairs": pairs}

    def inputs(self, graph, name: str) -> Inputs:
        watched = self.development and self.development.data
        on = {
            "dataset": [graph.dataset(watched)] if watched else [],
            "tokens": [graph.tokens(name, watched)] if watched else [],
            "query_tokens": [graph.tokens(name, watched, QUERIES)] if watched else [],
            "runs": [graph.run(*of) for key, *of in self.asks() if key == "development"],
        }
        return super().inputs(graph, name) | {f"watched_{what}": made for what, made in on.items()}

    def asks(self) -> Iterator[Asked]:
        yield from super().asks()
        for ranker in self._developed_on:
            yield "development", ranker, self.development.data, self.development.split

    @property
    def _developed_on(self) -> list[str]:
        if not self.development:
            return []
        return [self.development.rerank] if self.development.rerank else self.development.rankers

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.loss.taught:
            yield "loss", f"'{self.loss.name}' follows a teacher, and pairs have none; contrast would do"
        if self.made and self.query_from and self.query_from != self.from_:
            yield "query_from", f"task: {self.task} takes queries out of passages; both encoders start from one model"
        if watched := self.development:
            if wrong := study.lacks_split(watched.data, watched.split):
                yield "development.split", wrong
            if (watched.data, watched.split) == (self.data, self.split):
                yield "development.split", f"'{watched.split}' is trained on; name another split, or other data"
            yield from self.too_deep(study, "development.depth", watched.depth, self._developed_on)

    def lacks(self, study) -> str | None:
        return None if self.made else super().lacks(study)

    def small(self) -> dict[str, Any]:
        return super().small() | {
            "steps": min(self.steps, 2),
            "train_pairs": few(self.train_pairs),
            "development": self.development and self.development.small(),
        }

    def operations(self, sizes, name: str) -> float:
        passage = sizes.passage_tokens(self.data, self.passage_length)
        pair = sizes.forward(name, QUERY_TOKENS) + (1 + self.beside) * sizes.forward(name, passage)
        return self.steps * self.batch_size * 3 * pair


@dataclass(frozen=True)
class Given:
    dataset: Path
    negatives: Path | None
    passages: Side
    queries: Side
    watched: Watched


def work(artifact: Artifact, settings, given: Given, pace: Pace) -> None:
    from dewpoint.training.pairs import train

    train(artifact, settings, given, pace, partial(work_of("losses", settings.loss.name), settings=settings.loss))
