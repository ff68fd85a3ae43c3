"""Texts to vectors: sorted by length so that little is padded, in batches of so many tokens, written in row order."""

import logging
import time
from pathlib import Path

import numpy as np
import torch

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Ragged, TokenStore, assemble, input_lengths, truncate
from dewpoint.models.encoder import Encoder
from dewpoint.search.vectors import VectorWriter

log = logging.getLogger(__name__)

WINDOW, BATCH_TOKENS = 65_536, 16_384


def shard_rows(total: int, shard: int, shards: int) -> np.ndarray:
    """The rows of one of `shards` nearly equal, consecutive parts."""
    return np.arange(total * shard // shards, total * (shard + 1) // shards)


def encode(
    model: Encoder, segments: list[Ragged], rows: np.ndarray, length: int, store: TokenStore, path: Path
) -> None:
    """Write the rows' vectors as float16, a window of rows at a time."""
    model.eval()
    began = time.monotonic()
    with VectorWriter(path, model.dimension) as file:
        for first in range(0, len(rows), WINDOW):
            window = rows[first : first + WINDOW]
            file.write(encode_window(model, segments, window, length, store))
            done, seconds = first + len(window), time.monotonic() - began
            left = round(seconds / done * (len(rows) - done))
            log.info("%s of %s texts, %.0f a second, %d:%02d left", done, len(rows), done / seconds, *divmod(left, 60))


@torch.inference_mode()
def encode_window(
    model: Encoder, segments: list[Ragged], rows: np.ndarray, length: int, store: TokenStore
) -> np.ndarray:
    """float16 vectors [rows, dimension], in the order of `rows`."""
    lengths = input_lengths(truncate(segments, rows, length))
    order = np.argsort(lengths, kind="stable")
    vectors = np.empty((len(rows), model.dimension), np.float16)
    start = 0
    while start < len(order):
        ahead = order[start : start + BATCH_TOKENS]
        fits = np.arange(1, len(ahead) + 1) * lengths[ahead] <= BATCH_TOKENS
        batch = ahead[: max(1, int(fits.sum()))]
        ids = assemble(truncate(segments, rows[batch], length), store.special)
        vectors[batch] = model(*model.inputs(ids, store.special["pad"])).float().cpu().numpy()
        start += len(batch)
    return vectors


class QuestionEncoder:
    """Vectors of questions typed by hand."""

    def __init__(self, folder: Path, length: int):
        self.model = Encoder(folder).eval()
        self.tokenizer, self.length = load_tokenizer(folder), length

    @torch.inference_mode()
    def __call__(self, question: str) -> np.ndarray:
        """float32 [1, dimension]."""
        ids = self.tokenizer(question, truncation=True, max_length=self.length)["input_ids"]
        return self.model(*self.model.inputs(np.array([ids]), self.tokenizer.pad_token_id)).float().cpu().numpy()
