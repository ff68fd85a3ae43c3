"""`similarity`: how alike the texts of examples are, by a model's vectors; each example is a query of the run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.rankers._alike import HOW, Alike, How
from dewpoint.study.bases import Inputs, Resources
from dewpoint.study.kind import Names
from dewpoint.study.sizes import EACH, Cost, written
from dewpoint.study.types import Label

TEXTS = ("passage_length", "passage_prefix")  # of the model's, that are read


class Similarity(Alike):
    """How alike the texts of examples are, by a model's vectors. Models of recipes regression and triplet are one."""

    resources: ClassVar[dict[str, Resources]] = {"rank": Resources(mem_mb=8000, runtime=240, threads="half", gpu=1)}

    kind: Literal["similarity"]
    model: Annotated[Label, Names("models")] = Field(description="whose vectors are compared")
    similarity: How = Field("cosine", description=HOW)

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        texts = graph.study.models[self.model].settings("texts")
        how = {"similarity": self.similarity, "split": split, "precision": graph.config.precision}
        return how | {key: texts[key] for key in TEXTS}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        return {"model": [graph.model(self.model)], "tokens": [graph.tokens(self.model, dataset)]}

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        model = study.models[self.model]
        if model.pairs or model.several:
            gives = "no vectors but scores of pairs" if model.pairs else "a vector for each token"
            yield "model", f"'{self.model}' gives {gives}; what is compared here is one vector a text"
        if model.encoders > 1:
            yield "model", f"'{self.model}' has two encoders; the texts of an example are all read by one"
        for key, wrong in study.too_long(model, {"passage_length": model.passage_length}):
            yield "model", f"{key} of '{self.model}': {wrong}"

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        model = sizes.graph.study.models[self.model]
        text = sizes.forward(self.model, sizes.passage_tokens(dataset, model.passage_length))
        examples, of = sizes.examples(dataset, split), sizes.graph.study.datasets[dataset].examples[split]
        return written(examples) + Cost(EACH[of] * examples * text)


def rank(artifact: Artifact, settings, model: Path, tokens: Path) -> None:
    from dewpoint.data.examples import ExampleTexts
    from dewpoint.data.tokenizer import load_tokenizer, prefix_ids
    from dewpoint.data.tokens import TokenStore
    from dewpoint.models.device import take_device
    from dewpoint.models.folder import read_encoder
    from dewpoint.search.alike import write_alike
    from dewpoint.search.encode import ready

    store, length = TokenStore(tokens), settings.passage_length
    prefix = prefix_ids(load_tokenizer(model.parent), settings.passage_prefix, length)
    texts = ExampleTexts(store, settings.split, length, prefix)
    encoder = read_encoder(model.parent).to(take_device())
    encoder.check_fits(store.vocabulary, length, f"examples of {settings.split}")
    write_alike(artifact, ready(encoder, settings.precision), texts, store.special, settings.similarity)
