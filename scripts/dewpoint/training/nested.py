"""Vectors whose beginnings are trained to be vectors, too.

L = 1/n Σ_k loss(v[:k])        k of n sizes, the whole one first; v[:k] has length one again where v has
"""

import json
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor
from torch.nn.functional import normalize

from dewpoint.errors import UserError
from dewpoint.models.encoder import Retriever

SAYS, KEY = "config_sentence_transformers.json", "matryoshka_dimensions"  # where a model's folder says its sizes


def sizes_of(settings, model: Retriever) -> list[int]:
    """How many of the first dimensions are a vector; all of them, where nothing is said."""
    sizes = getattr(settings, "sizes", None) or [model.dimension]
    if sizes[0] != model.dimension:
        raise UserError(f"sizes: the first is {sizes[0]}, but vectors have {model.dimension} dimensions; write that")
    return sizes


def beginnings(vectors: Tensor, sizes: list[int], normalized: bool) -> Iterator[Tensor]:
    """The vectors of each size [rows, size]."""
    for size in sizes:
        part = vectors[:, :size]
        yield normalize(part, dim=-1) if normalized and size < vectors.shape[1] else part


def say(folder: Path, sizes: list[int]) -> None:
    """Write a model's sizes into its folder."""
    path = folder / SAYS
    path.write_text(json.dumps(json.loads(path.read_text()) | {KEY: sizes}, indent=1) + "\n")
