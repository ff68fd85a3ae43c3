"""What a process works on in a step: its share of the batch's rows, in chunks of like lengths."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.lots import keys
from dewpoint.data.masking import WordMasker
from dewpoint.data.tokens import Slices, batches, input_lengths, inputs
from dewpoint.models import parts
from dewpoint.training import devices

CPU_TOKENS = 4096  # more at a time are no faster
CPU_BYTES, GPU_SHARE = 4 * 2**30, 0.25  # of memory, for activations
ACTIVATIONS = 64  # bytes for each token, layer and hidden unit, about


class Room(NamedTuple):
    """How many tokens are worked on at a time, and of how many the activations may be held."""

    chunk: int
    held: int


def room(asked: int, device: torch.device, config) -> Room:
    """As asked; when 0 is asked, what suits the device and the model."""
    if asked:
        return Room(asked, asked)
    each = ACTIVATIONS * parts.depth(config) * parts.width(config)
    if device.type == "cpu":
        held = max(CPU_TOKENS, CPU_BYTES // each)
        return Room(CPU_TOKENS, held)
    held = max(CPU_TOKENS, int(torch.cuda.get_device_properties(device).total_memory * GPU_SHARE) // each)
    return Room(held, held)


class Chunk(NamedTuple):
    """Rows that are held in memory together."""

    rows: Tensor  # their numbers in the whole batch
    keys: Tensor  # int32; what is random about a row is a function of its key
    ids: Tensor  # what the model sees
    mask: Tensor  # 1 for tokens, 0 for padding
    at: Tensor  # positions to predict, counted through ids.flatten()
    targets: Tensor  # the words that were there
    queries: bool = False  # a retriever's queries, not its passages
    second: Tensor | None = None  # where the second text of each row begins

    def to(self, device: torch.device) -> "Chunk":
        return Chunk(*(part.to(device, non_blocking=True) if isinstance(part, Tensor) else part for part in self))


class Batch(NamedTuple):
    """A step's rows: how many there are on all devices, and this device's own, in chunks."""

    rows: int
    chunks: list[Chunk]
    once: bool = True  # all chunks fit in memory together
    labels: dict[str, Tensor] = {}  # what a loss may know of the rows
    device: torch.device = torch.device("cpu")
    teacher: "Batch | None" = None  # the same texts as an in-batch teacher reads them

    @property
    def tokens(self) -> int:
        return sum(int(chunk.mask.sum()) for chunk in self.chunks)

    def to(self, device: torch.device) -> "Batch":
        labels = {name: label.to(device) for name, label in self.labels.items()}
        teacher = self.teacher and self.teacher.to(device)
        return Batch(self.rows, [chunk.to(device) for chunk in self.chunks], self.once, labels, device, teacher)


def batch(rows: int, chunks: list[Chunk], held: int, labels: dict[str, np.ndarray] | None = None) -> Batch:
    """A batch whose chunks are held together when that is `held` tokens at most."""
    once = len(chunks) == 1 or sum(chunk.ids.numel() for chunk in chunks) <= held
    return Batch(rows, chunks, once, {name: torch.from_numpy(label) for name, label in (labels or {}).items()})


def chunks(
    texts: list[Slices],
    special: dict[str, int],
    budget: int,
    seed: int,
    step: int,
    first: int = 0,
    masker: WordMasker | None = None,
    queries: bool = False,
    second: np.ndarray | None = None,
) -> list[Chunk]:
    """This process's rows of `texts`, shortest first, in chunks of up to `budget` tokens; row numbers start at `first`.

    Processes take turns in the order of lengths, so that they have about as much to do. Where a row has two texts,
    `second` says where the other one begins.
    """
    lengths = input_lengths(texts, special)
    mine = np.argsort(lengths, kind="stable")[devices.RANK :: devices.WORLD]
    made = []
    for batch in batches(lengths[mine], budget):
        rows = mine[batch]
        ids, mask = inputs([segment[rows] for segment in texts], special)
        key = keys(seed, step, first + rows)
        seen, where = masker(ids, key) if masker else (ids, np.zeros_like(ids, bool))
        parts = (first + rows, key.astype(np.int32), seen, mask)
        begins = None if second is None else torch.from_numpy(second[rows])
        made.append(Chunk(*map(torch.from_numpy, (*parts, np.flatnonzero(where), ids[where])), queries, begins))
    return made
