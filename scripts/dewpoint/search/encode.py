"""Texts to vectors: sorted by length so that little is padded, in batches of so many tokens, written in row order."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Slices, Texts, input_lengths
from dewpoint.models.backbone import chosen
from dewpoint.models.encoder import Encoder
from dewpoint.models.folder import query_folder, read_encoder
from dewpoint.progress import Progress
from dewpoint.search.vectors import VectorWriter

WINDOW = 65_536  # texts sorted by length at once
BATCH_TOKENS = {"cpu": 4096, "cuda": 131_072}  # of a core, of a GPU


def shard_bounds(total: int, shard: int, shards: int) -> tuple[int, int]:
    """First row, and the row after the last, of one of `shards` nearly equal, consecutive parts."""
    return total * shard // shards, total * (shard + 1) // shards


def ready(encoder: Encoder, precision: str) -> Encoder:
    """The encoder for inference alone: where bfloat16 is chosen its weights are in it, not cast for each batch."""
    if chosen(precision, encoder.backbone) == "bfloat16":
        encoder.backbone.to(torch.bfloat16)
    return encoder.eval()


def encode(encoder: Encoder, texts: Texts, rows: np.ndarray, special: dict[str, int], path: Path, type: str) -> None:
    """Write the rows' vectors, a window of rows at a time."""
    progress = Progress(int(input_lengths(texts[rows]).sum()), "tokens", rate="passages")
    with VectorWriter(path, encoder.dimension, type) as file:
        for first in range(0, len(rows), WINDOW):
            window = texts[rows[first : first + WINDOW]]
            file.write(encode_window(encoder, window, special, type, progress))


def encode_window(
    encoder: Encoder,
    texts: list[Slices],
    special: dict[str, int],
    type: str = "float16",
    progress: Progress | None = None,
) -> np.ndarray:
    """Vectors [texts, dimension], in their order."""
    vectors, lengths = np.empty((len(texts[0].counts), encoder.dimension), type), input_lengths(texts)

    def keep(rows: np.ndarray, part: Tensor) -> None:
        with np.errstate(over="ignore"):  # the writer says it
            vectors[rows] = part.float().cpu().numpy()
        if progress:
            progress.add(int(lengths[rows].sum()), len(rows))

    encoder.encode(texts, special, BATCH_TOKENS[encoder.device.type], keep)
    return vectors


class QuestionEncoder:
    """Vectors of questions typed by hand."""

    def __init__(self, folder: Path, length: int, prefix: str = "", precision: str = "float32", device="cpu"):
        folder = query_folder(folder)
        self.encoder, self.tokenizer = ready(read_encoder(folder).to(device), precision), load_tokenizer(folder)
        self.length, self.prefix = length, prefix

    @torch.inference_mode()
    def __call__(self, questions: list[str]) -> np.ndarray:
        """float32 [questions, dimension]."""
        texts = [self.prefix + question for question in questions]
        ids = self.tokenizer(texts, truncation=True, max_length=self.length, padding=True, return_tensors="pt")
        ids = ids.to(self.encoder.device)
        return self.encoder(ids["input_ids"], ids["attention_mask"]).float().cpu().numpy()
