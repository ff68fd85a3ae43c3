"""What the declarations of retrievers, and of all that is trained on queries and their passages, share."""

from collections.abc import Callable, Iterator
from functools import partial
from math import log10
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from dewpoint.batches.random import Random
from dewpoint.data.own_prompts import Prompts, own_prompts, unsaid
from dewpoint.losses.contrast import Contrast
from dewpoint.study.bases import PUBLISHED, QUERIES, UNSAID, Asked, Inputs, Node, Resources, Trained
from dewpoint.study.kind import For, Names, Strict, any_of, outside, work_of
from dewpoint.study.types import Amount, Count, Label, Name, Once, Row, Seed
from dewpoint.training.given import Instances

NEGATIVES = For("negatives")


class Projection(Strict):
    """A linear map of the pooled vector."""

    size: Amount = Field(description="dimensions of the vectors; 0: no map, also where `from` has one")
    norm: bool = Field(False, description="with a LayerNorm after it")

    @model_validator(mode="after")
    def a_norm_of_something(self):
        if self.norm and not self.size:
            raise ValueError("size: 0 is no projection, so there is nothing for norm to follow")
        return self


class Development(Strict):
    """What a retriever is measured on while it is trained: a small corpus, or a ranker's candidates put in order."""

    split: Name = Field("dev", description="its queries; those of the training split are then not trained on")
    queries: Count = Field(1000, description="at most so many, drawn at random")
    metric: Literal["MRR@10", "nDCG@10"] = Field("MRR@10", description="that is measured, and should rise")
    rerank: Annotated[Label | None, Names("rankers")] = Field(
        None, description="a ranker whose first `depth` passages of a query, with its positives, are all that is ranked"
    )
    depth: Amount = Field(
        50, description="ranks of `rerank`; or of each negatives' ranker that are in the small corpus"
    )
    passages: Amount = Field(10_000, description="at random, beside them in the small corpus")
    measurements: Count = Field(10, description="how often it is measured, evenly spread over the steps")
    every: Count | None = Field(
        None, description="steps between two measurements, in place of `measurements`; there is one at the end, too"
    )
    keep: Literal["best", "last"] = Field("best", description="which weights become the model")
    patience: Count | None = Field(None, description="measurements without a rise, after which training ends")

    @model_validator(mode="after")
    def one_way(self):
        if self.every and "measurements" in self.model_fields_set:
            raise ValueError("`every` and `measurements` both say how often; leave one out")
        if self.rerank and "passages" in self.model_fields_set:
            raise ValueError("`passages` are of the small corpus, which `rerank` takes the place of; leave one out")
        return self

    def settings(self, *stages: str) -> dict[str, Any]:
        return super().settings(*stages) | {"reranks": self.rerank is not None}

    def small(self) -> "Development":
        few = {"every": None, "measurements": 1, "queries": min(self.queries, 8)}
        return self.model_copy(update=few)


class Vectors(Node):
    """How a retriever's texts become vectors."""

    reads: ClassVar[tuple[str, ...]] = ("work", "texts")

    query_from: Annotated[str | None, Names("models", released=True)] = Field(
        None, description="where queries' own encoder starts from, as in `from`; left out: one encoder for both"
    )
    published: Annotated[Row | None, For()] = PUBLISHED
    normalize: bool | None = Field(None, description="vectors of length one; left out: as `from` does, no otherwise")
    prompts: Literal["checked", "ignored"] = Field(
        UNSAID["prompts"],
        description="what `from` has its texts begin with: a prefix must be said where it has one, or it is ignored",
    )

    def work_settings(self, config) -> dict[str, Any]:
        made = {"query_source": None} | super().work_settings(config)
        if not any(map(outside, self.sources.values())):
            made.pop("prompts", None)  # the study's own are checked when it is read
        return made

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        for key, source in self.sources.items():
            if source == "scratch":
                yield key, "a retriever starts from another model, not from scratch"
            elif self.prompts == "checked" and (wrong := self._unsaid(study, key, source)):
                yield key, wrong
        yield from study.too_long(self, {"passage_length": self.passage_length})
        yield from study.too_long(self, {"query_length": self.query_length}, self.query_from)

    def _unsaid(self, study, key: str, source: str) -> str | None:
        """What is wrong where a folder, or a model of the study that comes from outside, has prompts."""
        sides = ("query",) if key == "query_from" else ("passage",) if self.query_from else ("query", "passage")
        if source.startswith("path:") and Path(source[5:]).is_dir():
            return unsaid(own_prompts(Path(source[5:])), self, sides)
        if source in study.models and isinstance(parent := study.models[source], Vectors) and parent.released(study):
            return unsaid(Prompts(parent.query_prefix, parent.passage_prefix, []), self, sides)
        return None

    def released(self, study) -> bool:
        """Whether others made the model that it descends from."""
        node = self
        while node.from_ in study.models:
            node = study.models[node.from_]
        return node.from_ != "scratch"

    @property
    def encoders(self) -> int:
        return 2 if self.query_from else 1


class Pooled(Vectors):
    """A text has one vector."""

    ranker: ClassVar[str | None] = "dense"

    pooling: Literal["cls", "mean", "last"] | None = Field(
        None,
        description="left out: as `from` does, otherwise the CLS, of a model that reads from left to right the last",
    )


class Sided(Vectors):
    """What is trained (so it is `Trained`, too) on queries and passages by vectors of each text alone."""

    projection: Projection | None = Field(None, description="left out: as `from` has it, none otherwise")

    def inputs(self, graph, name: str) -> Inputs:
        """What its two sides read comes twice, by side."""
        made = super().inputs(graph, name)
        passages = {what: made.pop(what) for what in ("tokens", "tokenizer", "parent")}
        parent = graph.parent(name, QUERIES)
        queries = {
            "tokens": [graph.tokens(name, self.data, QUERIES)],
            "tokenizer": [graph.tokenizer(name, QUERIES)],
            "parent": [graph.model(parent)] if parent else [],
        }
        return {
            **made,
            **{f"passages_{what}": made for what, made in passages.items()},
            **{f"queries_{what}": made for what, made in queries.items()},
        }

    def small(self) -> dict[str, Any]:
        projection = self.projection
        return super().small() | {
            "projection": projection and projection.model_copy(update={"size": min(projection.size, 16)})
        }


class Mined(Trained):
    """What is trained on queries with negatives that rankers find."""

    resources: ClassVar[Resources] = Resources(mem_mb=16_000, runtime=1440, threads="training", gpu=1, all_gpus=True)

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
    split: Annotated[Name, For("work", "negatives")] = Field("train", description="whose queries are trained on")

    @model_validator(mode="after")
    def negatives_that_are_left(self):
        if self.negatives_skip >= self.negatives_depth:
            raise ValueError(
                f"negatives_skip {self.negatives_skip} of negatives_depth {self.negatives_depth} leaves none"
            )
        if self.negatives_by and self.negatives_margin is None and self.negatives_share is None:
            raise ValueError("negatives_by goes with negatives_margin or negatives_share, which are of its scores")
        return self

    @property
    def beside(self) -> int:
        """Negatives of each query in a batch."""
        return (7 if self.negatives else 0) if self.negatives_per_query is None else self.negatives_per_query

    def work_settings(self, config) -> dict[str, Any]:
        return super().work_settings(config) | {"negatives_per_query": self.beside}

    def negatives_settings(self, config) -> dict[str, Any]:
        settings = {key.removeprefix("negatives_"): value for key, value in self.settings("negatives").items()}
        seeds = (self.negatives_seed, self.seed, config.seed)
        return settings | {"seed": next(seed for seed in seeds if seed is not None)}

    def inputs(self, graph, name: str) -> Inputs:
        return super().inputs(graph, name) | {"negatives": [graph.negatives(name)] if self.negatives else []}

    def asks(self) -> Iterator[Asked]:
        yield from (("negatives", ranker, self.data, self.split) for ranker in self.negatives)
        if self.negatives_by:
            yield "negatives_by", self.negatives_by, self.data, self.split

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if wrong := self.lacks(study):
            yield "split", wrong
        yield from self.too_deep(study, "negatives_depth", self.negatives_depth, self.negatives)

    def lacks(self, study) -> str | None:
        """What is wrong with the split that it is trained on."""
        return study.lacks_split(self.data, self.split)

    def too_deep(self, study, key: str, wanted: int, rankers: list[str]) -> Iterator[tuple[str, str]]:
        """What is wrong where ranks are wanted that a ranker does not keep."""
        for ranker in rankers:
            if wanted > (depth := study.rankers[ranker].depth):
                yield key, f"{wanted}, but ranker '{ranker}' keeps {depth}"

    def small(self) -> dict[str, Any]:
        return super().small() | {"negatives_per_query": min(self.beside, 2)}


class Ranking(Mined):
    """What is trained on queries, each with its positive and its negatives."""

    teacher: Annotated[Label | None, Names("rankers")] = Field(
        None, description="a ranker whose scores of the training queries' passages losses and batches may follow"
    )
    unscored: Literal["refused", "skipped"] = Field(
        "refused", description="a query's own passages that the teacher's run lacks; skipped: they have no part"
    )
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
    epochs: Count = Field(3, description="times that all instances are trained on")
    batch_size: Count = Field(8, description="queries")
    learning_rate: float = Field(5e-6, gt=0, description="the highest, after warm-up")

    @property
    def follows(self) -> bool:
        """Whether the loss reads the scores of `teacher`."""
        return self.loss.taught

    def work_settings(self, config) -> dict[str, Any]:
        queries = None if self.train_queries == "all" else self.train_queries
        return super().work_settings(config) | {"train_queries": queries}

    def inputs(self, graph, name: str) -> Inputs:
        """Of what it is trained on, in training's own words; the texts of its sides come with the recipe."""
        return super().inputs(graph, name) | {
            "teacher": [graph.run(*of) for key, *of in self.asks() if key == "teacher"],
            **self.batches.inputs(graph, self.data, self.split),
        }

    def asks(self) -> Iterator[Asked]:
        yield from super().asks()
        if self.teacher:
            yield "teacher", self.teacher, self.data, self.split

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        follow = [key for key, does in (("loss", self.follows), ("batches", self.batches.needs_teacher)) if does]
        for key in follow if not self.teacher else ():
            name = getattr(self, key).name
            yield key, f"'{name}' follows a teacher; name the ranker whose scores it takes: teacher: …"
        if self.teacher and not follow:
            yield "teacher", f"loss '{self.loss.name}' does not follow it, nor do the batches; margin-mse would"

    def small(self) -> dict[str, Any]:
        return super().small() | {"train_queries": few(self.train_queries), "epochs": 1, "unscored": "skipped"}

    def instances(self, sizes) -> float:
        """How many queries with their passages are trained on, all epochs together."""
        asked = sizes.queries(self.data, self.split) if self.train_queries == "all" else self.train_queries
        return asked * max(1, len(self.negatives)) * self.epochs


def few(queries: int | str) -> int | str:
    """So many queries for a rehearsal that more stay more, and all stay all."""
    return queries if queries == "all" else min(queries, 2 + round(2 * log10(queries)))


def loss_and_batches(settings, given: Instances) -> tuple[Callable, Callable]:
    """`loss(scores, known)`, and `compose(queries, size, seed)`: the work of the kinds that an entry names for them."""
    read = {"clusters": given.clusters} if given.clusters else {}
    loss = partial(work_of("losses", settings.loss.name), settings=settings.loss)
    return loss, partial(work_of("batches", settings.batches.name), settings=settings.batches, **read)
