"""Late interaction with questions as they are typed: all passages' vectors are in memory as they are stored."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dewpoint.data.runs import Run, ranked
from dewpoint.data.tokenizer import load_tokenizer, prefix_ids
from dewpoint.data.tokens import TokenStore, query_reading, ragged_range
from dewpoint.models.folder import query_folder, read_encoder
from dewpoint.search import late
from dewpoint.search.encode import encode_tokens, ready
from dewpoint.search.live import Timed
from dewpoint.search.vectors import BLOCK, Vectors, cuts

Nearest = Callable[[np.ndarray, int], Run]  # vectors of queries, how many of all passages' are near to each


class Questions:
    """Vectors of the tokens of questions typed by hand."""

    def __init__(self, model: Path, tokens: Path, settings, precision: str, device):
        """`tokens` is the store of a dataset's queries, for what the tokenizer puts around a text."""
        folder, self.store = query_folder(model.parent), TokenStore(tokens)
        self.encoder, self.words = ready(read_encoder(folder).to(device), precision), load_tokenizer(folder)
        self.encoder.check_fits(self.store.vocabulary, settings.query_length, "queries")
        prefix = prefix_ids(self.words, settings.query_prefix, settings.query_length)
        self.how = {"length": settings.query_length, "prefix": prefix, **query_reading(settings)}

    def __call__(self, questions: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """(float32 vectors, where each question's begin and the last one's end)."""
        texts = self.store.typed(questions, self.words, **self.how)[np.arange(len(questions))]
        vectors, counts = encode_tokens(self.encoder, texts, self.store.special, "float32")
        return vectors, np.concatenate([[0], np.cumsum(counts)])


class Late:
    """Questions to vectors, these to passages: to all, or to those whose vectors an index finds near."""

    def __init__(self, encode: Questions, corpus: Vectors, nearest: Nearest | None = None, each: int = 0):
        """`nearest` is asked for `each` vectors of passages for each of a question's."""
        self.encode, self.nearest, self.each = encode, nearest, each
        self.vectors, self.offsets = corpus.in_memory()
        self.size = max(1, BLOCK // (4 * corpus.dimension))

    def __call__(self, questions: list[str], depth: int) -> Timed:
        began = time.perf_counter()
        asked, starts = self.encode(questions)
        encoded = time.perf_counter()
        took = {"encode": encoded - began}
        if not self.nearest:
            run = late.best(asked, starts, self._blocks(np.arange(len(self.offsets) - 1)), depth)
            return run, took | {"search": time.perf_counter() - encoded}
        query, passage = late.candidates(self.nearest(asked, self.each), starts, self.offsets[1:])
        found = time.perf_counter()
        rows, at = np.unique(passage, return_inverse=True)
        run = ranked(query, passage, late.scored(self._blocks(rows), asked, starts, query, at), depth)
        return run, took | {"search": found - encoded, "score": time.perf_counter() - found}

    def _blocks(self, rows: np.ndarray) -> late.Blocks:
        """The vectors of these passages, which are numbered as they stand in `rows`."""
        starts, counts = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        for first, end in cuts(np.concatenate([[0], np.cumsum(counts)]), self.size):
            text, within = ragged_range(counts[first:end])
            vectors = self.vectors[starts[first:end][text] + within].astype(np.float32)
            yield first, vectors, np.concatenate([[0], np.cumsum(counts[first:end])])
