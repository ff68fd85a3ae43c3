"""`retriever`: a query's positive against its negatives and every other passage of the batch.

L = 1/n Σ_i loss(q_i·p_1 … q_i·p_m)        p over all passages of the step; which may be negative is known to the loss
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from dewpoint.artifact import Artifact
from dewpoint.batches.random import Random
from dewpoint.losses.contrast import Contrast
from dewpoint.recipes._retrieval import Development, Projection, Vectors, few
from dewpoint.study.bases import QUERIES, Asked, Inputs, Resources, Trained
from dewpoint.study.kind import For, Names, any_of, work_of
from dewpoint.study.sizes import QUERY_TOKENS
from dewpoint.study.types import Amount, Count, Label, Name, Once, Seed
from dewpoint.training.given import Pace, Side

NEGATIVES = For("negatives")


class Retriever(Vectors, Trained):
    """A query's positive against its negatives and the other passages of the batch."""

    resources: ClassVar[Resources] = Resources(mem_mb=16_000, runtime=1440, threads="training", gpu=1, all_gpus=True)

    recipe: Literal["retriever"]
    projection: Projection | None = Field(None, description="left out: as `from` has it, none otherwise")
    negatives: Annotated[list[Label], Names("rankers"), Once] = Field(
        [], description="rankers whose runs give the negatives"
    )
    negatives_depth: Annotated[Count, NEGATIVES] = Field(200, description="ranks that negatives are taken from")
    negatives_skip: Annotated[Amount, NEGATIVES] = Field(0, description="first ranks that no negative is taken from")
    negatives_margin: Annotated[float | None, Field(ge=0), NEGATIVES] = Field(
        None, description="how far below the query's lowest scored positive a negative must score"
    )
    negatives_share: Annotated[float | None, Field(gt=0), NEGATIVES] = Field(
        None, description="of that positive's score, that a negative has at most; for scores above 0"
    )
    negatives_by: Annotated[Label | None, Names("rankers")] = Field(
        None, description="whose scores `negatives_margin` and `negatives_share` are of; left out: of each run itself"
    )
    negatives_kept: Annotated[Count, NEGATIVES] = Field(30, description="negatives kept for a query and ranker")
    negatives_without: Annotated[list[Literal["judged", "answers"]], NEGATIVES] = Field(
        ["judged"], description="what is no negative: passages judged relevant, passages that contain an answer"
    )
    negatives_seed: Annotated[Seed | None, NEGATIVES] = Field(
        None, description="seed of the choice; the model's when left out"
    )
    negatives_per_query: Amount | None = Field(
        None, description="negatives beside each query's positive in a batch; 7, or none without rankers"
    )
    teacher: Annotated[Label | None, Names("rankers")] = Field(
        None, description="a ranker whose scores of the training queries' passages losses and batches may follow"
    )
    unscored: Literal["refused", "skipped"] = Field(
        "refused", description="a query's own passages that the teacher's run lacks; skipped: they have no part"
    )
    in_batch: bool = Field(True, description="the other queries' passages are negatives, too")
    loss: any_of("losses", by_name=True) = Field(
        Contrast(name="contrast"), description="a name, or {name: …} with what the loss can be told"
    )
    batches: any_of("batches", by_name=True) = Field(
        Random(name="random"), description="how instances come together in batches"
    )
    positives: Literal["rotating", "first"] = Field(
        "rotating", description="which of a query's positives: the next at each visit, or the first judged"
    )
    train_queries: Count | Literal["all"] = Field("all", description="drawn at random; fewer are a part of more")
    train_query_length: Count | None = Field(
        None, ge=3, description="tokens of a query in training, when fewer than `query_length` will do"
    )
    split: Annotated[Name, For("work", "negatives")] = Field("train", description="whose queries are trained on")
    epochs: Count = Field(3, description="times that all instances are trained on")
    batch_size: Count = Field(8, description="queries")
    learning_rate: float = Field(5e-6, gt=0, description="the highest, after warm-up")
    development: Development | None = Field(None, description="left out: nothing is measured on the way")

    @model_validator(mode="after")
    def something_to_contrast(self):
        if not self.in_batch and not self.beside:
            raise ValueError("in_batch: false leaves a query nothing to tell its positive from; name negatives")
        if self.batch_size == 1 and not self.beside:
            raise ValueError("batch_size: 1 leaves a query nothing to tell its positive from; name negatives")
        return self

    @model_validator(mode="after")
    def negatives_that_are_left(self):
        if self.negatives_skip >= self.negatives_depth:
            raise ValueError(
                f"negatives_skip {self.negatives_skip} of negatives_depth {self.negatives_depth} leaves none"
            )
        if self.negatives_by and self.negatives_margin is None and self.negatives_share is None:
            raise ValueError("negatives_by goes with negatives_margin or negatives_share, which are of its scores")
        return self

    @model_validator(mode="after")
    def shorter_in_training(self):
        if (self.train_query_length or 0) > self.query_length:
            raise ValueError(f"train_query_length {self.train_query_length} is above query_length {self.query_length}")
        return self

    @property
    def beside(self) -> int:
        """Negatives of each query in a batch."""
        return (7 if self.negatives else 0) if self.negatives_per_query is None else self.negatives_per_query

    def work_settings(self, config) -> dict[str, Any]:
        return super().work_settings(config) | {
            "negatives_per_query": self.beside,
            "train_queries": None if self.train_queries == "all" else self.train_queries,
            "train_query_length": self.train_query_length or self.query_length,
        }

    def negatives_settings(self, config) -> dict[str, Any]:
        settings = {key.removeprefix("negatives_"): value for key, value in self.settings("negatives").items()}
        seeds = (self.negatives_seed, self.seed, config.seed)
        return settings | {"seed": next(seed for seed in seeds if seed is not None)}

    def inputs(self, graph, name: str) -> Inputs:
        passages = super().inputs(graph, name)
        parent = graph.parent(name, QUERIES)
        queries = {
            "tokens": [graph.tokens(name, self.data, QUERIES)],
            "tokenizer": [graph.tokenizer(name, QUERIES)],
            "parent": [graph.model(parent)] if parent else [],
        }
        return {
            "dataset": passages.pop("dataset"),
            **{f"passages_{what}": made for what, made in passages.items()},
            **{f"queries_{what}": made for what, made in queries.items()},
            "negatives": [graph.negatives(name)] if self.negatives else [],
            "development": [graph.run(*of) for key, *of in self.asks() if key == "development"],
            "teacher": [graph.run(*of) for key, *of in self.asks() if key == "teacher"],
            **self.batches.inputs(graph, self.data, self.split),
        }

    def asks(self) -> Iterator[Asked]:
        for ranker in self.negatives:
            yield "negatives", ranker, self.data, self.split
            if self.development:
                yield "development", ranker, self.data, self.development.split
        for key, ranker in (("teacher", self.teacher), ("negatives_by", self.negatives_by)):
            if ranker:
                yield key, ranker, self.data, self.split

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if wrong := study.lacks_split(self.data, self.split):
            yield "split", wrong
        if self.development and (wrong := study.lacks_split(self.data, self.development.split)):
            yield "development.split", wrong
        for key, follows in (("loss", self.loss.taught), ("batches", self.batches.needs_teacher)):
            if follows and not self.teacher:
                name = getattr(self, key).name
                yield key, f"'{name}' follows a teacher; name the ranker whose scores it takes: teacher: …"
        deepest = self.development.depth if self.development else 0
        for ranker in self.negatives:
            depth = study.rankers[ranker].depth
            for key, wanted in (("negatives_depth", self.negatives_depth), ("development.depth", deepest)):
                if wanted > depth:
                    yield key, f"{wanted}, but ranker '{ranker}' keeps {depth}"

    def small(self) -> dict[str, Any]:
        return super().small() | {
            "train_query_length": None,
            "unscored": "skipped",
            "epochs": 1,
            "train_queries": few(self.train_queries),
            "negatives_per_query": min(self.beside, 2),
            "projection": self.projection
            and self.projection.model_copy(update={"size": min(self.projection.size, 16)}),
            "development": self.development and self.development.model_copy(update={"measurements": 1}),
        }

    def operations(self, sizes, name: str) -> float:
        passage = sizes.passage_tokens(self.data, self.passage_length)
        one = sizes.forward(name, QUERY_TOKENS) + (1 + self.beside) * sizes.forward(name, passage)
        asked = sizes.queries(self.data, self.split) if self.train_queries == "all" else self.train_queries
        return 3 * one * asked * max(1, len(self.negatives)) * self.epochs


@dataclass(frozen=True)
class Given:
    dataset: Path
    passages: Side
    queries: Side
    negatives: Path | None
    development: list[Path]
    teacher: Path | None = None
    clusters: Path | None = None


def work(artifact: Artifact, settings, given: Given, pace: Pace) -> None:
    from dewpoint.training.ranking import train

    loss = partial(work_of("losses", settings.loss.name), settings=settings.loss)
    read = {"clusters": given.clusters} if given.clusters else {}
    compose = partial(work_of("batches", settings.batches.name), settings=settings.batches, **read)
    train(artifact, settings, given, pace, loss, compose)
