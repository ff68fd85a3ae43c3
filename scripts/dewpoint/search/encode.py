"""Texts to vectors: sorted by length so that little is padded, in batches of so many tokens, written in row order."""

from pathlib import Path

import numpy as np
import torch

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Ragged, TokenStore, assemble, batches, input_lengths, truncate
from dewpoint.models.encoder import Encoder
from dewpoint.progress import Progress
from dewpoint.search.vectors import VectorWriter

WINDOW, BATCH_TOKENS = 65_536, 16_384


def shard_rows(total: int, shard: int, shards: int) -> np.ndarray:
    """The rows of one of `shards` nearly equal, consecutive parts."""
    return np.arange(total * shard // shards, total * (shard + 1) // shards)


def encode(
    model: Encoder, segments: list[Ragged], rows: np.ndarray, length: int, store: TokenStore, path: Path
) -> None:
    """Write the rows' vectors as float16, a window of rows at a time."""
    model.eval()
    progress = Progress(len(rows), "texts", rate="texts")
    with VectorWriter(path, model.dimension) as file:
        for first in range(0, len(rows), WINDOW):
            window = rows[first : first + WINDOW]
            file.write(encode_window(model, segments, window, length, store))
            progress.add(len(window), first + len(window))


@torch.inference_mode()
def encode_window(
    model: Encoder, segments: list[Ragged], rows: np.ndarray, length: int, store: TokenStore
) -> np.ndarray:
    """float16 vectors [rows, dimension], in the order of `rows`."""
    texts = truncate(segments, rows, length)
    vectors = np.empty((len(rows), model.dimension), np.float16)
    for batch in batches(input_lengths(texts), BATCH_TOKENS):
        ids = assemble([segment[batch] for segment in texts], store.special)
        vectors[batch] = model(*model.inputs(ids, store.special["pad"])).float().cpu().numpy()
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
