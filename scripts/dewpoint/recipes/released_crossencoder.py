"""`released-crossencoder`: a cross-encoder that others have trained, taken into the study as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Inputs, Node, Resources


class ReleasedCrossEncoder(Node):
    """A cross-encoder that others have trained, as it is; a ranker of kind `rerank` asks it."""

    resources: ClassVar[Resources] = Resources(mem_mb=8000, runtime=60)
    reads: ClassVar[tuple[str, ...]] = ("work", "texts")
    pairs: ClassVar[bool] = True

    recipe: Literal["released-crossencoder"]

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.from_ == "scratch" or self.from_ in study.models:
            yield "from", "a released cross-encoder is from hub:ORG/NAME or path:DIR"

    def inputs(self, graph, name: str) -> Inputs:
        return {"tokenizer": [graph.tokenizer(name)]}

    def operations(self, sizes, name: str) -> float:
        """Of reading its weights."""
        return sizes.weights(name)


def work(artifact: Artifact, settings, tokenizer: Path, stand_ins: list[Path]) -> None:
    """`stand_ins` are a rehearsal's, language models that get a layer for the occasion."""
    from dewpoint.data.pairs import joint, pair_length
    from dewpoint.data.pretrained import revisions
    from dewpoint.data.tokenizer import load_tokenizer, special_tokens
    from dewpoint.models.card import card
    from dewpoint.models.crossencoder import read_crossencoder, write_crossencoder
    from dewpoint.models.encoder import prefix_tokens

    words = load_tokenizer(tokenizer.parent)
    joined = joint(words)
    model = read_crossencoder(settings.source, joined, 0 if stand_ins else None)
    longest = pair_length(settings, joined, special_tokens(words))
    model.check_fits(len(words), longest, "a query and a passage")
    prefix_tokens(words, words, settings)  # refuses those that do not fit
    artifact.facts |= revisions(revision=settings.source)
    artifact.facts |= {"parameters": sum(parameter.numel() for parameter in model.parameters())}
    write_crossencoder(artifact.path("."), model, words, longest, card(artifact, settings, None, "crossencoder"))
