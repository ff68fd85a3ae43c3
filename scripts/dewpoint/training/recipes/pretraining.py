"""What the pre-training recipes share: where a model starts, its text, its masked words."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.masking import mask_words
from dewpoint.data.streams import MASKS, join, rng
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Ragged, TokenStore
from dewpoint.models.backbone import from_scratch, load_language_model


class Masked(NamedTuple):
    """A batch for masked language modelling, on the device."""

    ids: Tensor  # what was there
    inputs: Tensor  # what the model sees
    mask: Tensor  # 1 for tokens, 0 for padding
    where: Tensor  # positions to predict

    def to(self, device: torch.device) -> "Masked":
        return Masked(*(tensor.to(device) for tensor in self))

    def chunks(self, size: int) -> list["Masked"]:
        """Runs of `size` rows; the last may be shorter."""
        return [Masked(*parts) for parts in zip(*(tensor.split(size) for tensor in self), strict=True)]


class Masker:
    """Masks a batch afresh at every step."""

    def __init__(self, tokenizer, special: dict[str, int], seed: int):
        self.continues = np.zeros(len(tokenizer), bool)
        for token, id in tokenizer.get_vocab().items():
            self.continues[id] = token.startswith("##")
        self.special, self.seed = special, seed

    def __call__(self, ids: np.ndarray, step: int) -> Masked:
        inputs, where = mask_words(ids, self.special, self.continues, rng(self.seed, MASKS, step))
        return Masked(*map(torch.from_numpy, (ids, inputs, (ids != self.special["pad"]).astype(np.int64), where)))


def documents(dataset: Path, tokens: TokenStore, unit: str) -> Ragged:
    """The corpus as documents, or every passage as one."""
    return join(tokens.column("corpus"), Dataset(dataset).documents() if unit == "document" else None)


def start(settings, tokenizer, parent: Path | None):
    """The language model that training starts from: new, a node of the study, a folder or a hub id."""
    torch.manual_seed(settings.seed)
    if settings.source == "scratch":
        return from_scratch(settings.architecture, len(tokenizer), tokenizer.pad_token_id)
    return load_language_model(parent.parent if parent else settings.source)


def finish(artifact: Artifact, tokenizer: Path) -> None:
    """The tokenizer goes with the weights."""
    load_tokenizer(tokenizer).save_pretrained(artifact.path("."))
