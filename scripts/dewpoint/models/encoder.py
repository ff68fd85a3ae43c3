"""Encoders: one vector a text. A retriever has one for passages, and the same or another for queries."""

import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

from dewpoint.data.tokenizer import prefix_ids
from dewpoint.data.tokens import Slices, assemble, batches, first_batch, input_lengths
from dewpoint.errors import UserError

log = logging.getLogger(__name__)

SPREAD = 0.02  # of a new projection's weights


class Encoder(nn.Module):
    """A backbone and its pooling; where wanted a projection, and vectors of length one."""

    def __init__(self, backbone, pooling: str = "cls", normalize: bool = False):
        super().__init__()
        self.backbone, self.pooling, self.normalize = backbone, pooling, normalize
        self.projection: nn.Sequential | None = None
        self.most_tokens = math.inf  # that fit into memory at once, as far as is known

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dimension(self) -> int:
        return self.projection[0].out_features if self.projection else self.backbone.config.hidden_size

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden = self.backbone(ids, attention_mask=mask).last_hidden_state
        with torch.autocast(hidden.device.type, enabled=False):
            if self.pooling == "cls":
                vectors = hidden[:, 0].float()
            else:
                vectors = (hidden.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            if self.projection:
                vectors = self.projection(vectors)
            return nn.functional.normalize(vectors, dim=1) if self.normalize else vectors

    def shape(self, pooling: str | None, normalize: bool | None, wanted) -> None:
        """Give it a pooling, a length of vectors and a projection; what is not wanted stays as it is."""
        self.pooling = pooling or self.pooling
        self.normalize = self.normalize if normalize is None else normalize
        if wanted:
            self.projection = projection(self.backbone.config.hidden_size, wanted, self.projection)

    def fit(self, vocabulary: int, length: int, what: str) -> None:
        """Refuse tokens or lengths that the backbone does not know."""
        config = self.backbone.config
        if vocabulary > config.vocab_size:
            raise UserError(f"{what}: {vocabulary:,} kinds of tokens, but the model knows {config.vocab_size:,}")
        positions = config.max_position_embeddings - ("roberta" in config.model_type) * (config.pad_token_id + 1)
        bounded = getattr(config, "position_biased_input", True)  # not so DeBERTa, whose positions are relative
        if bounded and length > positions:
            raise UserError(f"{what}: length {length}, but the model has {positions} positions")

    def encode(
        self, texts: list[Slices], special: dict[str, int], tokens: int, done: Callable[[np.ndarray, Tensor], None]
    ) -> None:
        """Hand over (rows, their vectors) of all texts, those of like lengths together, `tokens` at a time."""
        lengths, low = input_lengths(texts), torch.is_autocast_enabled(self.device.type)

        def vectors(rows: np.ndarray) -> Tensor:
            ids = torch.from_numpy(assemble([segment[rows] for segment in texts], special)).to(self.device)
            with torch.inference_mode(), torch.autocast(self.device.type, enabled=low):  # which threads do not inherit
                return self(ids, (ids != special["pad"]).long())

        work = self._on_cores if self.device.type == "cpu" else self._on_gpu
        work(lengths, tokens, vectors, done)

    def _on_cores(self, lengths: np.ndarray, tokens: int, vectors: Callable, done: Callable) -> None:
        """A batch on each core is a fifth faster than all cores on one batch."""
        cores, rows = torch.get_num_threads(), list(batches(lengths, tokens))
        try:
            with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                for batch, made in zip(rows, pool.map(vectors, rows), strict=True):
                    done(batch, made)
        finally:
            torch.set_num_threads(cores)

    def _on_gpu(self, lengths: np.ndarray, tokens: int, vectors: Callable, done: Callable) -> None:
        """Where memory is too small for so many tokens, half as many are tried, and from then on.

        A batch is handed over when the next one has been started, so that the GPU need not wait.
        """
        order, before = np.argsort(lengths, kind="stable"), None
        while len(order):
            rows = first_batch(lengths, order, min(tokens, self.most_tokens))
            try:
                made = vectors(rows)
            except torch.OutOfMemoryError:
                if len(rows) == 1:
                    told = f"one text of {lengths[rows[0]]} tokens does not fit into the GPU's memory"
                    raise UserError(told) from None
                self._take_less(int(lengths[rows[-1]]) * len(rows))
                continue
            if before:
                done(*before)
            before, order = (rows, made), order[len(rows) :]
        if before:
            done(*before)

    def _take_less(self, tokens: int) -> None:
        if math.isinf(self.most_tokens):
            log.warning(
                "warning: %s tokens at once do not fit into the GPU's memory; going on with less", f"{tokens:,}"
            )
        self.most_tokens = tokens // 2
        torch.cuda.empty_cache()


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

    def fit(self, words, query_words, settings) -> tuple[list[int], list[int]]:
        """Refuse tokenizers, lengths, prefixes that do not fit; the prefixes' tokens, of passages and of queries."""
        self.passages.fit(len(words), settings.passage_length, "passages")
        self.queries.fit(len(query_words), settings.query_length, "queries")
        return (
            prefix_ids(words, settings.passage_prefix, settings.passage_length),
            prefix_ids(query_words, settings.query_prefix, settings.query_length),
        )

    def shape(self, pooling: str | None, normalize: bool | None, wanted=None, seed: int = 0) -> None:
        """Both encoders alike, weights of a new projection, too; it must make their vectors comparable."""
        for encoder in self.encoders:
            torch.manual_seed(seed)
            encoder.shape(pooling, normalize, wanted)
        if self.passages.dimension != self.queries.dimension:
            raise UserError(
                f"vectors of queries have {self.queries.dimension} dimensions, of passages {self.passages.dimension}; "
                "a projection gives both one size"
            )
