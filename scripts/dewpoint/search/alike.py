"""How alike the texts of examples are, by the similarity of a model's vectors, as a run.

A query of the run is an example, and its passages are the pairs of its texts, numbered from 0: of a triplet the first
and the second, the first and the third, the second and the third.
"""

from itertools import combinations

import numpy as np
import torch

from dewpoint.artifact import Artifact
from dewpoint.data.examples import ExampleTexts
from dewpoint.data.runs import Run, RunWriter, ranked
from dewpoint.data.tokens import Special
from dewpoint.models.encoder import Encoder
from dewpoint.models.similarity import SIMILARITIES
from dewpoint.search.encode import WINDOW, encode_window


def write_alike(artifact: Artifact, encoder: Encoder, texts: ExampleTexts, special: Special, similarity: str) -> None:
    """All examples, some at a time."""
    size = WINDOW // texts.each
    with RunWriter(artifact) as file:
        for first in range(0, len(texts), size):
            rows = np.arange(first, min(first + size, len(texts)))
            vectors = encode_window(encoder, texts[rows], special, "float32")
            file.write(run_of(rows, pairs(vectors.reshape(len(rows), texts.each, -1), similarity)))


def pairs(vectors: np.ndarray, similarity: str) -> np.ndarray:
    """[examples, pairs of texts], of vectors [examples, texts, dimension]; reckoned in float64."""
    exact = torch.from_numpy(vectors).double()
    columns = [SIMILARITIES[similarity](exact[:, i], exact[:, j]) for i, j in combinations(range(exact.shape[1]), 2)]
    return torch.stack(columns, dim=1).float().numpy()


def run_of(examples: np.ndarray, alike: np.ndarray) -> Run:
    """What is most alike comes first."""
    each = alike.shape[1]
    return ranked(np.repeat(examples, each), np.tile(np.arange(each), len(examples)), alike.ravel(), each)
