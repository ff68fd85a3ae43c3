"""`rerank`: another ranker's candidates in the order of a model's scores, or of several's mean.

A model is a cross-encoder, which reads a query and a passage together, or a retriever or colbert, which scores their
vectors: so it ranks candidates that came with the queries, and nothing else of the corpus is encoded.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from dewpoint.artifact import Artifact
from dewpoint.rankers._parts import opened
from dewpoint.rankers._reranking import Reranking
from dewpoint.study.bases import QUERIES, TEXTS, Inputs, Resources
from dewpoint.study.kind import For, Names
from dewpoint.study.sizes import QUERY_TOKENS, Cost
from dewpoint.study.types import Label, Once

if TYPE_CHECKING:
    from dewpoint.search.live import Live


def listed(written: Any) -> Any:
    """One model is a list of one."""
    return [written] if isinstance(written, str) else written


class Rerank(Reranking):
    """Another ranker's candidates in the order of a cross-encoder's or a retriever's scores, or of several's mean."""

    resources: ClassVar[dict[str, Resources]] = {
        "rank": Resources(mem_mb=16_000, runtime=1440, threads="all", gpu=1),
        "latency": Resources(mem_mb=32_000, runtime=1440, threads="all", gpu=1),
    }

    kind: Literal["rerank"]
    by: Annotated[list[Label], BeforeValidator(listed, Label | list[Label]), Names("models"), Once] = Field(
        min_length=1,
        description="the crossencoder, retriever or colbert that scores them; of several the mean",
    )
    judged: Annotated[bool, For("rank")] = Field(
        False, description="a query's positives are scored and kept, too, as a teacher needs; no table may then show it"
    )

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return super().rank_settings(graph, split) | {"split": split} | self._how(graph)

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        return super().latency_settings(graph, split) | self._how(graph)

    def _how(self, graph) -> dict[str, Any]:
        """How each model's texts become inputs."""
        texts = [graph.study.models[model].settings(*TEXTS.stages) for model in self.by]
        return {"top": self.scored, "texts": texts, "precision": graph.config.precision}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        run = {"dataset": [graph.dataset(dataset)], "run": [graph.run(self.of, dataset, split)]}
        return run | self.live_inputs(graph, name, dataset)

    def live_inputs(self, graph, name: str, dataset: str) -> Inputs:
        two = any(graph.study.models[model].encoders > 1 for model in self.by)
        return {
            "models": [graph.model(model) for model in self.by],
            "tokens": [graph.tokens(model, dataset) for model in self.by],
            "query_tokens": [graph.tokens(model, dataset, QUERIES) for model in self.by] if two else [],
        }

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        for model in self.by:
            if not (study.models[model].pairs or study.models[model].ranker):
                yield "by", f"'{model}' scores no pairs; name a crossencoder, a retriever or a colbert"

    def check_on(self, study, name: str, dataset: str, split: str, shown: bool) -> Iterator[tuple[str, str]]:
        if self.judged:
            if wrong := study.lacks_split(dataset, split):
                yield "judged", wrong
            if shown:
                yield "", f"ranker '{name}' is shown the positives of {dataset}/{split} itself; leave `judged` out"

    def small(self) -> dict[str, Any]:
        return {"top": min(self.scored, 20)}

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        pairs = sizes.queries(dataset, split) * min(self.scored, sizes.passages(dataset))
        models = sizes.graph.study.models
        tokens = [QUERY_TOKENS + sizes.passage_tokens(dataset, models[model].passage_length) for model in self.by]
        one = sum(sizes.forward(model, long) for model, long in zip(self.by, tokens, strict=True))
        return super().rank_cost(sizes, dataset, split) + Cost(pairs * one)


def rank(
    artifact: Artifact,
    settings,
    dataset: Path,
    run: Path,
    models: list[Path],
    tokens: list[Path],
    query_tokens: list[Path],
) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.models.device import take_device
    from dewpoint.search.rerank import rerank
    from dewpoint.search.scorers import open_scorers

    scorers = open_scorers(models, tokens, query_tokens, settings, take_device())
    rerank(artifact, settings, Dataset(dataset), run, scorers)


def latency(
    artifact: Artifact,
    settings,
    dataset: Path,
    models: list[Path],
    tokens: list[Path],
    query_tokens: list[Path],
    parts: list[Path],
) -> None:
    from dewpoint.models.device import take_device
    from dewpoint.search.latency import measure

    how = {"precision": settings.precision, "device": take_device()}
    ask = live(settings, models, tokens, query_tokens, opened(settings.parts, parts), **how)
    measure(artifact, settings, dataset, ask)


def live(
    settings,
    models: list[Path],
    tokens: list[Path],
    query_tokens: list[Path],
    parts: list,
    precision: str = "float32",
    device: str = "cpu",
) -> "Live":
    """`parts` is the ranker of `of`, with the depth that it is asked for."""
    from dewpoint.search.rerank import answering
    from dewpoint.search.scorers import open_scorers

    return answering(open_scorers(models, tokens, query_tokens, settings, device), parts[0], settings.top)
