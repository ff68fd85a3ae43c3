"""`released`: a retriever that others have trained, taken into the study as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from dewpoint.artifact import Artifact
from dewpoint.recipes._retrieval import Pooled
from dewpoint.study.bases import QUERIES, Inputs, Resources


class Released(Pooled):
    """A retriever that others have trained, as it is."""

    resources: ClassVar[Resources] = Resources(mem_mb=8000, runtime=60)

    recipe: Literal["released"]

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        for key, source in self.sources.items():
            if source in study.models:
                yield key, "a released model is from hub:ORG/NAME or path:DIR"

    def inputs(self, graph, name: str) -> Inputs:
        return {"tokenizer": [graph.tokenizer(name)], "query_tokenizer": [graph.tokenizer(name, QUERIES)]}

    def operations(self, sizes, name: str) -> float:
        """Of reading its weights."""
        return sizes.weights(name)


def work(artifact: Artifact, settings, tokenizer: Path, query_tokenizer: Path) -> None:
    from dewpoint.data.own_prompts import check_prompts
    from dewpoint.data.pretrained import revisions
    from dewpoint.data.tokenizer import load_tokenizer
    from dewpoint.models.card import card
    from dewpoint.models.dpr import is_dpr, read_dpr
    from dewpoint.models.encoder import prefix_tokens
    from dewpoint.models.folder import is_retriever, read_retriever, write_retriever

    check_prompts(settings)
    of_dpr = is_dpr(settings.source)
    model = (read_dpr if of_dpr else read_retriever)(settings.source, settings.query_source)
    model.set_output(settings.pooling, settings.normalize)
    words, query_words = (load_tokenizer(made.parent) for made in (tokenizer, query_tokenizer))
    model.check_fits(words, query_words, settings)
    prefix_tokens(words, query_words, settings)  # refuses those that do not fit
    artifact.facts |= revisions(revision=settings.source, query_revision=settings.query_source)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    artifact.facts |= model.facts | {"parameters": parameters, "retrieves": of_dpr or is_retriever(settings.source)}
    write_retriever(artifact.path("."), model, (words, query_words), settings, card(artifact, settings, None))
