"""Re-ranking: a run's pairs of query and passage scored by models, a block of queries at a time.

    s(q, p) = 1/k Σ_j s_j(q, p)        over k models

Pairs of like lengths are scored together, so that little is padded. The scores of a block are kept in the workspace
until the run is sealed: a job that was killed goes on with the block that it was at.
"""

import time
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.kept import keep, kept
from dewpoint.data.pairs import joint, pair_length, pairs
from dewpoint.data.runs import NOTHING, Run, RunWriter, pair_numbers, query_blocks
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import Ragged, Texts, TokenStore, input_lengths
from dewpoint.errors import UserError
from dewpoint.models.crossencoder import read_crossencoder
from dewpoint.models.encoder import prefix_tokens
from dewpoint.models.folder import is_retriever, query_folder, read_encoder
from dewpoint.progress import Progress
from dewpoint.search.encode import BATCH_TOKENS, HELD, encode_tokens, ready
from dewpoint.search.late import score_pairs
from dewpoint.search.live import Live, Timed
from dewpoint.search.vectors import cuts

PAIRS = 8192  # of a block, about
SCORES = pa.schema([("score", pa.float32())])  # of a block, as they are kept


# --- scores -------------------------------------------------------------------------------------


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
        self.augmented = getattr(self.texts, "augmented", False)

    def queries(self, split: str) -> Texts:
        return self.query_store.queries(split, self.texts.query_length, self.query_prefix, self.augmented)

    def typed(self, questions: list[str]) -> Texts:
        """Questions typed by hand, as queries."""
        ids = self.query_words(questions, add_special_tokens=False)["input_ids"]
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in ids])])
        typed = Ragged(np.array([token for one in ids for token in one], np.int64), offsets)
        return self.query_store.as_queries(typed, self.texts.query_length, self.query_prefix, self.augmented)


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


class Late:
    """Max-sim of a late interaction's vectors; each text is encoded once in a block of pairs."""

    def __init__(self, reads: Reads, precision: str, device: torch.device | str):
        self.reads = reads
        folders = (query_folder(reads.folder), reads.folder)
        self.queries, self.passages = (ready(read_encoder(folder).to(device), precision) for folder in folders)
        self.queries.check_fits(reads.query_store.vocabulary, reads.texts.query_length, "queries")
        self.passages.check_fits(reads.store.vocabulary, reads.texts.passage_length, "passages")

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


Scorer = Pairwise | Late


def open_scorers(
    models: list[Path], tokens: list[Path], query_tokens: list[Path], settings, device: torch.device | str
) -> list[Scorer]:
    """One for each model's manifest. `tokens` are token stores, `query_tokens` those of queries, where a model has two
    encoders; `settings.texts` says how texts become a model's inputs."""
    made = []
    for model, store, query_store, texts in zip(models, tokens, query_tokens or tokens, settings.texts, strict=True):
        reads = Reads(model.parent, TokenStore(store), TokenStore(query_store), texts)
        kind = Late if is_retriever(model.parent) else Pairwise
        made.append(kind(reads, settings.precision, device))
    return made


def _mean(scorers: list[Scorer], queries: list[Texts], query: np.ndarray, passage: np.ndarray) -> np.ndarray:
    """The scorers' mean of each pair; `queries` are each one's."""
    scores = [scorer.score(texts, query, passage) for scorer, texts in zip(scorers, queries, strict=True)]
    mean = np.mean(scores, axis=0, dtype=np.float64).astype(np.float32)
    if not np.isfinite(mean).all():
        at = int(np.flatnonzero(~np.isfinite(mean))[0])
        raise UserError(
            f"passage {passage[at]} has no finite score for query {query[at]}; is a model of `by` diverged?"
        )
    return mean


# --- a run --------------------------------------------------------------------------------------


@dataclass
class Candidates:
    """What is ranked for some queries; what is not scored lies in its order."""

    run: Run
    scored: np.ndarray  # as booleans
    stays: np.ndarray  # whatever its rank


def candidates(found: Run, top: int, depth: int, positives: tuple[np.ndarray, np.ndarray]) -> Candidates:
    """The first `top` of each query are scored, and its positives, which are added where they were not found."""
    taken = found.rank <= max(top, depth)
    query, passage = found.query[taken], found.passage[taken]
    known, judged = pair_numbers((query, passage), positives)
    added = ~np.isin(judged, known)
    scored = (found.rank[taken] <= top) | np.isin(known, judged)
    stays = np.concatenate([np.isin(known, judged), np.ones(added.sum(), bool)])
    query, passage = (
        np.concatenate(both) for both in zip((query, passage), (of[added] for of in positives), strict=True)
    )
    scored = np.concatenate([scored, np.ones(added.sum(), bool)])
    return Candidates(Run(query, passage, np.zeros(len(query), np.float32)), scored, stays)


def ordered(of: Candidates, scores: np.ndarray, depth: int) -> Run:
    """By score, then the others in their order, each of them lower: `depth` of each query, and what stays anyway."""
    query, score, rest = of.run.query, np.empty(len(of.scored), np.float32), ~of.scored
    score[of.scored] = scores
    lowest = np.full(int(query.max(initial=-1)) + 1, np.inf, np.float32)
    np.minimum.at(lowest, query[of.scored], scores)
    score[rest] = lowest[query[rest]] - Run(query[rest], of.run.passage[rest], score[rest]).rank
    order = np.lexsort([of.run.passage, -score, query])
    run = Run(query, of.run.passage, score).at(order)
    return run.at((run.rank <= depth) | of.stays[order])


def rerank(artifact: Artifact, settings, data: Dataset, run: Path, scorers: list[Scorer]) -> None:
    """Write the run of `settings.split`; blocks whose scores lie in the workspace are not scored again."""
    workspace, total = artifact.workspace(), data.rows(f"queries.{settings.split}")
    workspace.mkdir(parents=True, exist_ok=True)
    query, passage = data.positives(settings.split) if settings.judged else (np.zeros(0, int), np.zeros(0, int))
    order = np.argsort(query, kind="stable")
    positives = query[order], passage[order]
    queries = [scorer.reads.queries(settings.split) for scorer in scorers]
    size, pairs_scored, progress = max(1, PAIRS // settings.top), 0, Progress(total, "queries", rate="queries")
    with RunWriter(artifact) as file:
        blocks = chain(query_blocks(run, size), repeat(NOTHING))  # the last queries may have no rows
        for first, found in zip(range(0, total, size), blocks, strict=False):
            begin, end = np.searchsorted(positives[0], [first, first + size])
            block = candidates(found, settings.top, settings.depth, tuple(of[begin:end] for of in positives))
            asked, shown = (of[block.scored] for of in (block.run.query, block.run.passage))
            path = workspace / f"{size}-{first:09d}.parquet"
            if (done := kept(path, SCORES)) is None or len(done) != len(asked):
                done = pa.table([_mean(scorers, queries, asked, shown)], schema=SCORES)
                keep(path, done)
            scores = done["score"].to_numpy()
            file.write(ordered(block, scores, settings.depth))
            pairs_scored += len(asked)
            progress.add(min(size, total - first))
    artifact.facts |= {"pairs": pairs_scored}
    artifact.finished = workspace


# --- typed questions ----------------------------------------------------------------------------


def answering(scorers: list[Scorer], part: tuple[Live, int], top: int) -> Live:
    """Asks another ranker, which keeps so many passages, and scores the first `top` of them."""
    ask, most = part

    def rank(questions: list[str], depth: int) -> Timed:
        found, took = ask(questions, min(most, max(top, depth)))
        began = time.perf_counter()
        block = candidates(found, top, depth, (np.zeros(0, int), np.zeros(0, int)))
        queries = [scorer.reads.typed(questions) for scorer in scorers]
        scores = _mean(scorers, queries, *(of[block.scored] for of in (block.run.query, block.run.passage)))
        run = ordered(block, scores, depth)
        return run, took | {"score": took.get("score", 0) + time.perf_counter() - began}

    return rank
