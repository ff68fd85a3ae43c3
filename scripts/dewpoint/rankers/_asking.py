"""What rankers share that ask a model of recipe seq2seq."""

from collections.abc import Iterator
from typing import Any

TEXTS = ("passage_length", "passage_prefix", "query_length", "title")  # of the model's, that are read


def texts_of(graph, model: str) -> dict[str, Any]:
    """How its texts are read."""
    texts = graph.study.models[model].settings("texts")
    return {key: texts[key] for key in TEXTS}


def writes_nothing(study, model: str) -> Iterator[tuple[str, str]]:
    if not study.models[model].writes:
        yield "by", f"model '{model}' writes no texts; name one of recipe seq2seq"
