"""Texts to vectors: sorted by length so that little is padded, in batches of so many tokens, written in row order."""

from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.tokenizer import load_tokenizer, prefix_ids, special_tokens
from dewpoint.data.tokens import RIGHT, Slices, Texts, input_lengths, inputs, leading, ragged, ragged_range
from dewpoint.errors import UserError
from dewpoint.models.device import halve, precision_in_use
from dewpoint.models.encoder import Encoder, TokenVectors
from dewpoint.models.folder import query_folder, read_encoder
from dewpoint.models.reader import Reader
from dewpoint.progress import Progress
from dewpoint.search.vectors import VectorWriter, cuts

WINDOW = 65_536  # texts sorted by length at once
HELD = 2**28  # bytes of vectors of a window, where texts have several
BATCH_TOKENS = {"cpu": 4096, "cuda": 131_072}  # of a core, of a GPU
R = TypeVar("R", bound=Reader)


def shard_bounds(total: int, shard: int, shards: int) -> tuple[int, int]:
    """First row, and the row after the last, of one of `shards` nearly equal, consecutive parts."""
    return total * shard // shards, total * (shard + 1) // shards


def ready(reader: R, precision: str) -> R:
    """For inference alone: where bfloat16 is in use its weights are in it, not cast for each batch."""
    if precision_in_use(precision, reader.backbone) == "bfloat16":
        halve(reader.backbone)
    return reader.eval()


def encode(encoder: Encoder, texts: Texts, rows: np.ndarray, special: dict[str, int], path: Path, type: str) -> None:
    """Write the rows' vectors, one a text or several, a window of rows at a time."""
    lengths = input_lengths(texts[rows], special)
    progress = Progress(int(lengths.sum()), "tokens", rate="passages")
    with VectorWriter(path, encoder.dimension, type, encoder.several) as file:
        if encoder.several:
            most = HELD // (np.dtype(type).itemsize * encoder.dimension)
            for first, end in cuts(np.concatenate([[0], np.cumsum(lengths)]), most):
                file.write_several(*encode_tokens(encoder, texts[rows[first:end]], special, type, progress))
        else:
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
    vectors, lengths = np.empty((len(texts[0].counts), encoder.dimension), type), input_lengths(texts, special)

    def keep(rows: np.ndarray, part: Tensor) -> None:
        vectors[rows] = _stored(part, type)
        if progress:
            progress.add(int(lengths[rows].sum()), len(rows))

    encoder.encode(texts, special, BATCH_TOKENS[encoder.device.type], keep)
    return vectors


def encode_tokens(
    encoder: Encoder,
    texts: list[Slices],
    special: dict[str, int],
    type: str = "float16",
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(vectors of all tokens [vectors, dimension], how many each text has [texts]), in the texts' order."""
    made, lengths = [], input_lengths(texts, special)

    def keep(rows: np.ndarray, part: TokenVectors) -> None:
        vectors, counts = part.flat()
        made.append((rows, _stored(vectors, type), counts.cpu().numpy()))
        if progress:
            progress.add(int(lengths[rows].sum()), len(rows))

    encoder.encode(texts, special, BATCH_TOKENS[encoder.device.type], keep)
    rows, vectors, counts = (np.concatenate(parts) for parts in zip(*made, strict=True))
    order = np.argsort(rows)
    text, token = ragged_range(counts[order])
    return vectors[(np.cumsum(counts) - counts)[order][text] + token], counts[order]


def _stored(vectors: Tensor, type: str) -> np.ndarray:
    with np.errstate(over="ignore"):  # the writer says it
        return vectors.float().cpu().numpy().astype(type, copy=False)


class QuestionEncoder:
    """Vectors of questions typed by hand."""

    def __init__(
        self,
        folder: Path,
        length: int,
        prefix: str = "",
        precision: str = "float32",
        device="cpu",
        cut: str = RIGHT,
    ):
        folder = query_folder(folder)
        self.encoder, self.tokenizer = ready(read_encoder(folder).to(device), precision), load_tokenizer(folder)
        if self.encoder.several:
            raise UserError(f"{folder}: gives a vector for each token; questions are answered by one vector a text")
        self.special = special_tokens(self.tokenizer)
        how = {"prefix": prefix_ids(self.tokenizer, prefix, length), "leading": leading(self.special), "cut": cut}
        self.texts = partial(Texts, length=length, **how)

    @torch.inference_mode()
    def __call__(self, questions: list[str]) -> np.ndarray:
        """float32 [questions, dimension]."""
        tokens = self.tokenizer(questions, add_special_tokens=False)["input_ids"]
        texts = self.texts([ragged(tokens)])[np.arange(len(questions))]
        ids, mask = (torch.from_numpy(made).to(self.encoder.device) for made in inputs(texts, self.special))
        return self.encoder(ids, mask).float().cpu().numpy()
