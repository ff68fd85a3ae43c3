"""What scores pairs of query and passage: a cross-encoder, or a retriever's vectors, one a text or one a token."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dewpoint.data.pairs import joint, pair_length, pairs
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Texts, TokenStore, input_lengths, query_reading
from dewpoint.models.crossencoder import read_crossencoder
from dewpoint.models.encoder import Encoder, prefix_tokens
from dewpoint.models.folder import is_retriever, query_folder, read_encoder
from dewpoint.search.encode import BATCH_TOKENS, HELD, encode_tokens, encode_window, ready
from dewpoint.search.late import score_pairs
from dewpoint.search.vectors import cuts

PAIRS = 4096  # scored at once, so that their vectors stay in the cache


@dataclass
class Reads:
    """A model's folder, and how it reads the texts of a dataset."""

    folder: Path
    store: TokenStore
    query_store: TokenStore
    texts: Any  # lengths, prefixes and title, as the study has them

    def __post_init__(self):
        self.words, self.query_words = load_tokenizer(self.folder), load_tokenizer(query_folder(self.folder))
        self.prefix, self.query_prefix = prefix_tokens(self.words, self.query_words, self.texts)
        self.passages = self.store.passages(self.texts.passage_length, self.prefix, self.texts.title)
        self.reading = query_reading(self.texts)

    def queries(self, split: str) -> Texts:
        return self.query_store.queries(split, self.texts.query_length, self.query_prefix, **self.reading)

    def typed(self, questions: list[str]) -> Texts:
        """Questions typed by hand, as queries."""
        how = self.texts.query_length, self.query_prefix
        return self.query_store.typed(questions, self.query_words, *how, **self.reading)


class Pairwise:
    """A cross-encoder's scores."""

    def __init__(self, reads: Reads, precision: str, device: torch.device | str):
        self.reads, self.joint = reads, joint(reads.words)
        self.model = ready(read_crossencoder(reads.folder, self.joint).to(device), precision)
        longest = pair_length(reads.texts, self.joint, reads.store.special)
        self.model.check_fits(reads.store.vocabulary, longest, "a query and a passage")

    def score(self, queries: Texts, query: np.ndarray, passage: np.ndarray) -> np.ndarray:
        """float32, one for each pair of rows."""
        special, scores = self.reads.store.special, np.empty(len(query), np.float32)
        both = pairs(queries[query], self.reads.passages[passage], special, self.joint)

        def keep(rows: np.ndarray, part: Tensor) -> None:
            scores[rows] = part.float().cpu().numpy()

        self.model.score(both, special, BATCH_TOKENS[self.model.device.type], keep)
        return scores


@dataclass
class Encoders:
    """Those of a retriever; each text is encoded once in a block of pairs."""

    reads: Reads
    queries: Encoder
    passages: Encoder


class OneVector(Encoders):
    """Inner products of a retriever's vectors."""

    def score(self, queries: Texts, query: np.ndarray, passage: np.ndarray) -> np.ndarray:
        """float32, one for each pair of rows: products are summed in float64 and rounded once."""
        scores = np.empty(len(query), np.float32)
        asked, query = np.unique(query, return_inverse=True)
        shown, passage = np.unique(passage, return_inverse=True)
        vectors = encode_window(self.queries, queries[asked], self.reads.query_store.special, "float32")
        texts = self.reads.passages[shown]
        theirs = encode_window(self.passages, texts, self.reads.store.special, "float32")
        for first in range(0, len(scores), PAIRS):
            part = slice(first, first + PAIRS)
            ours, other = (of.astype(np.float64) for of in (vectors[query[part]], theirs[passage[part]]))
            scores[part] = (ours * other).sum(1)
        return scores


class Late(Encoders):
    """Max-sim of a late interaction's vectors."""

    def score(self, queries: Texts, query: np.ndarray, passage: np.ndarray) -> np.ndarray:
        """float32, one for each pair of rows."""
        scores = np.empty(len(query), np.float32)
        if not len(query):
            return scores
        asked, query = np.unique(query, return_inverse=True)
        shown, passage = np.unique(passage, return_inverse=True)
        vectors, counts = encode_tokens(self.queries, queries[asked], self.reads.query_store.special, "float32")
        starts = np.concatenate([[0], np.cumsum(counts)])
        lengths = input_lengths(self.reads.passages[shown], self.reads.store.special)
        for first, end in cuts(np.concatenate([[0], np.cumsum(lengths)]), HELD // (4 * self.passages.dimension)):
            texts = self.reads.passages[shown[first:end]]
            theirs, of = encode_tokens(self.passages, texts, self.reads.store.special, "float32")
            at = np.flatnonzero((passage >= first) & (passage < end))
            scores[at] = score_pairs(vectors, starts, theirs, of, query[at], passage[at] - first)
        return scores


Scorer = Pairwise | OneVector | Late


def open_scorers(
    models: list[Path], tokens: list[Path], query_tokens: list[Path], settings, device: torch.device | str
) -> list[Scorer]:
    """One for each model's manifest. `tokens` are token stores, `query_tokens` those of queries, where a model has two
    encoders; `settings.texts` says how texts become a model's inputs."""
    made = []
    for model, store, query_store, texts in zip(models, tokens, query_tokens or tokens, settings.texts, strict=True):
        reads = Reads(model.parent, TokenStore(store), TokenStore(query_store), texts)
        kind = encoded if is_retriever(model.parent) else Pairwise
        made.append(kind(reads, settings.precision, device))
    return made


def encoded(reads: Reads, precision: str, device: torch.device | str) -> OneVector | Late:
    folders = (query_folder(reads.folder), reads.folder)
    queries, passages = (ready(read_encoder(folder).to(device), precision) for folder in folders)
    queries.check_fits(reads.query_store.vocabulary, reads.texts.query_length, "queries")
    passages.check_fits(reads.store.vocabulary, reads.texts.passage_length, "passages")
    return (Late if passages.several else OneVector)(reads, queries, passages)
