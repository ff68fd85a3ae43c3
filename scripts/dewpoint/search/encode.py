"""Texts to vectors: sorted by length so that little is padded, in batches of so many tokens, written in row order."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Slices, Texts
from dewpoint.models.encoder import Encoder
from dewpoint.models.folder import query_folder, read_encoder
from dewpoint.progress import Progress
from dewpoint.search.vectors import VectorWriter

WINDOW, BATCH_TOKENS = 65_536, 16_384


def shard_rows(total: int, shard: int, shards: int) -> np.ndarray:
    """The rows of one of `shards` nearly equal, consecutive parts."""
    return np.arange(total * shard // shards, total * (shard + 1) // shards)


def encode(encoder: Encoder, texts: Texts, rows: np.ndarray, special: dict[str, int], path: Path) -> None:
    """Write the rows' vectors as float16, a window of rows at a time."""
    encoder.eval()
    progress = Progress(len(rows), "texts", rate="texts")
    with VectorWriter(path, encoder.dimension) as file:
        for first in range(0, len(rows), WINDOW):
            window = rows[first : first + WINDOW]
            file.write(encode_window(encoder, texts[window], special))
            progress.add(len(window), first + len(window))


def encode_window(encoder: Encoder, texts: list[Slices], special: dict[str, int]) -> np.ndarray:
    """float16 vectors [texts, dimension], in their order."""
    vectors = np.empty((len(texts[0].counts), encoder.dimension), np.float16)

    def keep(rows: np.ndarray, part: Tensor) -> None:
        vectors[rows] = part.float().cpu().numpy()

    encoder.encode(texts, special, BATCH_TOKENS, keep)
    return vectors


class QuestionEncoder:
    """Vectors of questions typed by hand."""

    def __init__(self, folder: Path, length: int, prefix: str = ""):
        folder = query_folder(folder)
        self.encoder, self.tokenizer = read_encoder(folder).eval(), load_tokenizer(folder)
        self.length, self.prefix = length, prefix

    @torch.inference_mode()
    def __call__(self, question: str) -> np.ndarray:
        """float32 [1, dimension]."""
        ids = self.tokenizer(self.prefix + question, truncation=True, max_length=self.length, return_tensors="pt")
        return self.encoder(ids["input_ids"], ids["attention_mask"]).float().numpy()
