"""What rankers have in common that ask a T5 about the first passages of another ranker's run."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dewpoint.data.prompts import ROOM
from dewpoint.rankers._asking import texts_of, writes_nothing
from dewpoint.rankers._reranking import Reranking
from dewpoint.study.bases import Inputs, Resources
from dewpoint.study.kind import Names
from dewpoint.study.sizes import QUERY_TOKENS, Cost
from dewpoint.study.types import Label


class Judged(Reranking):
    """Another ranker's run whose first passages a T5 has put into another order; the rest follow as they were."""

    resources: ClassVar[dict[str, Resources]] = {
        "rank": Resources(mem_mb=16_000, runtime=2880, threads="half", gpu=1),
        "latency": Resources(mem_mb=32_000, runtime=2880, threads="all", gpu=1),
    }
    asked_about: ClassVar[int] = 1  # passages at a time

    by: Annotated[Label, Names("models")] = Field(description="who judges, a seq2seq")

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        yield from writes_nothing(study, self.by)
        model = study.models[self.by]
        if model.writes and model.passage_length < model.query_length + ROOM:
            told = f"reads {model.passage_length} tokens, of which a query may have {model.query_length}"
            yield "by", f"model '{self.by}' {told}; leave {ROOM} at least for the question's words and passages"

    def small(self) -> dict[str, Any]:
        return super().small() | {"top": min(self.scored, 5)}

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return super().rank_settings(graph, split) | {"split": split} | self._how(graph)

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        return super().latency_settings(graph, split) | self._how(graph)

    def _how(self, graph) -> dict[str, Any]:
        """How texts become what the model reads."""
        return texts_of(graph, self.by) | {"precision": graph.config.precision, "top": self.scored}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        run = {"run": [graph.run(self.of, dataset, split)], "model": [graph.model(self.by)]}
        return super().rank_inputs(graph, name, dataset, split) | run

    def live_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)], "model": [graph.model(self.by)]}

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        passages = min(self.scored, sizes.passages(dataset))
        asked = passages if self.asked_about == 1 else passages * (passages - 1)
        most = sizes.graph.study.models[self.by].passage_length
        tokens = min(most, QUERY_TOKENS + self.asked_about * sizes.passage_tokens(dataset, most))
        judged = sizes.queries(dataset, split) * asked * sizes.forward(self.by, tokens)
        return super().rank_cost(sizes, dataset, split) + Cost(judged)
