"""What rankers have in common that ask a T5 about the first passages of another ranker's run."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dewpoint.study.bases import Inputs, Ranker, Resources
from dewpoint.study.kind import For, Names
from dewpoint.study.sizes import QUERY_TOKENS, Cost
from dewpoint.study.types import Count, Label

READ = ("passage_length", "passage_prefix", "query_length", "title")  # of the model's texts
ROOM = 24  # tokens


class Judged(Ranker):
    """Another ranker's run whose first passages a T5 has put into another order; the rest follow as they were."""

    resources: ClassVar[dict[str, Resources]] = {
        "rank": Resources(mem_mb=16_000, runtime=2880, threads="half", gpu=1),
    }
    asked_about: ClassVar[int] = 1  # passages at a time

    of: Annotated[Label, Names("rankers")] = Field(description="the ranker whose passages are judged")
    by: Annotated[Label, Names("models")] = Field(description="who judges, a seq2seq")
    top: Annotated[Count | None, For("rank")] = Field(
        None,
        description="passages of a query that are judged; the rest follow in their order; left out: all that are kept",
    )

    @property
    def judged(self) -> int:
        return self.depth if self.top is None else self.top

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if not study.models[self.by].writes:
            yield "by", f"model '{self.by}' writes no texts; name one of recipe seq2seq"
        elif (model := study.models[self.by]).passage_length < model.query_length + ROOM:
            told = f"reads {model.passage_length} tokens, of which a query may have {model.query_length}"
            yield "by", f"model '{self.by}' {told}; leave {ROOM} at least for the question's words and passages"
        depth = study.rankers[self.of].depth
        for key, wanted in (("depth", self.depth), ("top", self.judged)):
            if wanted > depth:
                yield key, f"{wanted}, but ranker '{self.of}' keeps {depth}"

    def asks(self, dataset: str, split: str) -> Iterator[tuple[str, str, str]]:
        yield self.of, dataset, split

    def small(self) -> dict[str, Any]:
        return super().small() | {"top": min(self.judged, 5)}

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        texts = graph.study.models[self.by].settings("texts")
        read = {key: texts[key] for key in READ} | {"precision": graph.config.precision, "split": split}
        read |= {"top": self.judged}
        return super().rank_settings(graph, split) | read

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        run = {"run": [graph.run(self.of, dataset, split)], "model": [graph.model(self.by)]}
        return super().rank_inputs(graph, name, dataset, split) | run

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        return self.rank_settings(graph, split)

    def live_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)], "model": [graph.model(self.by)]}

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        passages = min(self.judged, sizes.passages(dataset))
        asked = passages if self.asked_about == 1 else passages * (passages - 1)
        most = sizes.graph.study.models[self.by].passage_length
        tokens = min(most, QUERY_TOKENS + self.asked_about * sizes.passage_tokens(dataset, most))
        judged = sizes.queries(dataset, split) * asked * sizes.forward(self.by, tokens)
        return super().rank_cost(sizes, dataset, split) + Cost(judged)
