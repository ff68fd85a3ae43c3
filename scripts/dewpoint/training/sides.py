"""A step's queries and passages, each text encoded alone: their chunks, their vectors, and the scores of all pairs.

A batch's rows are vectors: one a text, or one a token, those of the queries first.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.tokens import Slices, Special, input_lengths, ragged_range
from dewpoint.models.encoder import Retriever
from dewpoint.models.max_sim import max_sim
from dewpoint.training.chunks import Batch, Chunk, Room, batch, chunks

Known = dict[str, np.ndarray]


@dataclass
class Sides:
    """How a retriever's texts are put together: the special tokens of queries and of passages."""

    query_special: Special
    special: Special
    several: bool  # vectors a text

    def batch(
        self, queries: list[Slices], passages: list[Slices], known: Known, room: Room, seed: int, step: int
    ) -> Batch:
        """What a loss may know of it also says how many vectors each text has, where they are several."""
        asked, shown = known["masked"].shape
        parts = chunks(queries, self.query_special, room.chunk, seed, step, queries=True)
        parts += chunks(passages, self.special, room.chunk, seed, step, first=asked)
        if not self.several:
            return batch(asked + shown, parts, room.held, known)
        counts = [input_lengths(queries, self.query_special), input_lengths(passages, self.special)]
        known = known | {"query_vectors": counts[0], "passage_vectors": counts[1]}
        counts = np.concatenate(counts)
        starts = np.cumsum(counts) - counts
        return batch(int(counts.sum()), [_by_vector(part, starts, counts) for part in parts], room.held, known)


def _by_vector(chunk: Chunk, starts: np.ndarray, counts: np.ndarray) -> Chunk:
    """With the rows of its texts' vectors in the place of its texts'."""
    texts = chunk.rows.numpy()
    text, within = ragged_range(counts[texts])
    return chunk._replace(rows=torch.from_numpy(starts[texts][text] + within))


def vectors_of(model: Retriever, chunk: Chunk) -> Tensor:
    """[rows, dimension]."""
    encoder = model.queries if chunk.queries else model.passages
    made = encoder(chunk.ids, chunk.mask)
    return made.flat()[0] if encoder.several else made


def scores_of(vectors: Tensor, known: dict[str, Tensor]) -> Tensor:
    """[queries, passages], from the vectors of all rows: inner products, or with several a text max-sim."""
    if "query_vectors" not in known:
        queries, passages = vectors.split(known["masked"].shape)
        return queries @ passages.T
    counts = known["query_vectors"], known["passage_vectors"]
    queries, passages = vectors.split([int(of.sum()) for of in counts])
    return max_sim(queries, counts[0], passages, counts[1])
