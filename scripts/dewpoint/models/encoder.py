"""Encoders: one vector a text, or one a token. A retriever has one for passages, the same or another for queries."""

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dewpoint.data.tokenizer import prefix_ids
from dewpoint.data.tokens import Slices, input_lengths, inputs
from dewpoint.errors import UserError
from dewpoint.models import parts
from dewpoint.models.reader import Reader

log = logging.getLogger(__name__)

SPREAD = 0.02  # of a new projection's weights
TOKENS = "tokens"  # the pooling that pools nothing: a vector a token


class TokenVectors(NamedTuple):
    """Several vectors a text."""

    vectors: Tensor  # [texts, tokens, dimension]
    counted: Tensor  # which of them count, as booleans [texts, tokens]; padding has no part

    def flat(self) -> tuple[Tensor, Tensor]:
        """(those that count [vectors, dimension], how many each text has [texts])."""
        return self.vectors[self.counted], self.counted.sum(1)


class Encoder(Reader):
    """A backbone and its pooling; where wanted a projection, and vectors of length one."""

    def __init__(self, backbone, pooling: str | None = None, normalize: bool = False):
        """Without a pooling the CLS, or the last token where that alone has seen all others."""
        super().__init__(backbone)
        self.causal = parts.causal(backbone)
        self.pooling, self.normalize = pooling or ("last" if self.causal else "cls"), normalize
        self.projection: nn.Sequential | None = None

    @property
    def dimension(self) -> int:
        return self.projection[0].out_features if self.projection else parts.width(self.backbone.config)

    @property
    def several(self) -> bool:
        """Whether a text has a vector for each of its tokens."""
        return self.pooling == TOKENS

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor | TokenVectors:
        """Vectors [texts, dimension]; those of all tokens where there are several a text."""
        given = {"use_cache": False} if self.causal else {}
        hidden = self.backbone(ids, attention_mask=mask, **given).last_hidden_state
        with torch.autocast(hidden.device.type, enabled=False):
            if self.several:
                vectors = hidden.float()
            elif self.pooling == "cls":
                vectors = hidden[:, 0].float()
            elif self.pooling == "last":
                behind = mask.flip(1).argmax(1)  # padding on the right, if that is where it is
                vectors = hidden[torch.arange(len(ids), device=ids.device), ids.shape[1] - 1 - behind].float()
            else:
                vectors = (hidden.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            if self.projection:
                vectors = self.projection(vectors)
            vectors = nn.functional.normalize(vectors, dim=-1) if self.normalize else vectors
        return TokenVectors(vectors, mask.bool()) if self.several else vectors

    def set_output(self, pooling: str | None, normalize: bool | None, wanted) -> None:
        """Give it a pooling, a length of vectors and a projection; what is not wanted stays as it is."""
        self.pooling = pooling or self.pooling
        self.normalize = self.normalize if normalize is None else normalize
        if wanted:
            hidden = parts.width(self.backbone.config)
            self.projection = projection(hidden, wanted, self.projection) if wanted.size else None

    def encode(
        self,
        texts: list[Slices],
        special: dict[str, int],
        tokens: int,
        done: Callable[[np.ndarray, Tensor | TokenVectors], None],
    ) -> None:
        """Hand over (rows, their vectors) of all texts, those of like lengths together, `tokens` at a time."""
        lengths, low = input_lengths(texts, special), torch.is_autocast_enabled(self.device.type)

        def vectors(rows: np.ndarray) -> Tensor | TokenVectors:
            made = inputs([segment[rows] for segment in texts], special)
            ids, mask = (torch.from_numpy(part).to(self.device) for part in made)
            with torch.inference_mode(), torch.autocast(self.device.type, enabled=low):  # which threads do not inherit
                return self(ids, mask)

        self.in_batches(lengths, tokens, vectors, done)


def projection(hidden: int, wanted, before: nn.Sequential | None) -> nn.Sequential:
    """A linear map, and a LayerNorm when it is wanted; the one that is there when it has this shape."""
    if before and (before[0].out_features, len(before)) == (wanted.size, 1 + wanted.norm):
        return before
    linear = nn.Linear(hidden, wanted.size)
    nn.init.normal_(linear.weight, std=SPREAD)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, *([nn.LayerNorm(wanted.size)] if wanted.norm else []))


class Retriever(nn.Module):
    """The encoders of passages and of queries, which may be one and the same."""

    def __init__(self, passages: Encoder, queries: Encoder | None = None):
        super().__init__()
        self.passages, self.queries = passages, queries or passages

    @property
    def tied(self) -> bool:
        return self.passages is self.queries

    @property
    def encoders(self) -> list[Encoder]:
        return [self.passages] if self.tied else [self.passages, self.queries]

    @property
    def dimension(self) -> int:
        return self.passages.dimension

    @property
    def facts(self) -> dict[str, int | str | bool]:
        """What becomes of a text."""
        return {"dimension": self.dimension, "pooling": self.passages.pooling, "normalized": self.passages.normalize}

    def check_fits(self, words, query_words, settings) -> None:
        """Refuse tokenizers and lengths that do not fit."""
        self.passages.check_fits(len(words), settings.passage_length, "passages")
        self.queries.check_fits(len(query_words), settings.query_length, "queries")
        for encoder in self.encoders:
            if encoder.causal and encoder.pooling == "cls":
                kind = encoder.backbone.config.model_type
                raise UserError(
                    f"models of class '{kind}' read from left to right, so a first token sees no other; pooling: last"
                )
        if self.passages.pooling == "cls" and None in (words.cls_token_id, query_words.cls_token_id):
            log.warning("warning: there is no CLS token; its vector is that of a text's first token (`pooling: mean`?)")

    def set_output(self, pooling: str | None, normalize: bool | None, wanted=None, seed: int = 0) -> None:
        """Both encoders alike, weights of a new projection, too; it must make their vectors comparable."""
        for encoder in self.encoders:
            torch.manual_seed(seed)
            encoder.set_output(pooling, normalize, wanted)
        if self.passages.dimension != self.queries.dimension:
            raise UserError(
                f"vectors of queries have {self.queries.dimension} dimensions, of passages {self.passages.dimension}; "
                "a projection gives both one size"
            )


def prefix_tokens(words, query_words, settings) -> tuple[list[int], list[int]]:
    """The prefixes' tokens, of passages and of queries; refuses prefixes that do not come apart or leave no room."""
    return (
        prefix_ids(words, settings.passage_prefix, settings.passage_length),
        prefix_ids(query_words, settings.query_prefix, settings.query_length),
    )
