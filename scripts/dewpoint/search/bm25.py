"""BM25 as Lucene counts it, but with exact lengths: each term's postings with their scores, in memory-mapped arrays.

score(q, p) = Σ ln(1 + (N - df + ½) / (df + ½)) · tf / (tf + k1 (1 - b + b |p| / average)), over the words of q.
"""

import tempfile
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run
from dewpoint.errors import UserError
from dewpoint.progress import Progress
from dewpoint.search.analyser import Analyser

PASSAGES, QUERIES, TASK = 10_000, 2048, 32  # analysed at once; searched at once; searched by a thread
BLOCK = 8192  # passages that are scored at once: what a processor's cache holds


class Numbers(dict):
    """The number of the term that a word counts as, remembered; -1 for none."""

    def __init__(self, analyser: Analyser, number: Callable[[str], int]):
        self.analyser, self.number = analyser, number

    def __missing__(self, word: str) -> int:
        term = self.analyser.term(word)
        found = self[word] = self.number(term) if term else -1
        return found

    def of(self, text: str) -> Iterable[int]:
        return map(self.__getitem__, self.analyser.words(text.lower()))


# --- building -----------------------------------------------------------------------------------


def build(artifact: Artifact, dataset: Dataset, settings, batch: int = PASSAGES) -> None:
    """Write postings as passages come, sort them by term with their scores; neither is ever all in memory."""
    terms: dict[str, int] = {}
    numbers = Numbers(analyser(settings), lambda term: terms.setdefault(term, len(terms)))
    lengths, frequency = np.zeros(dataset.rows("corpus"), np.int32), np.zeros(0, np.int64)
    progress, first = Progress(len(lengths), "passages", rate="passages"), 0
    with tempfile.TemporaryFile(dir=artifact.staging) as spilled:
        for texts in dataset.batches("corpus", ["title", "text"] if settings.title else ["text"], batch):
            term, passage, count = postings(texts.to_pydict().values(), numbers)
            lengths[first : first + len(texts)] = np.bincount(passage, count, len(texts))
            frequency = np.bincount(term, minlength=len(terms)) + np.pad(frequency, (0, len(terms) - len(frequency)))
            for column in (term, passage + np.int32(first), count):
                np.save(spilled, column)
            first += len(texts)
            progress.add(len(texts))
        if not terms:
            raise UserError(f"{dataset.manifest}: no passage holds a word to index")
        spilled.seek(0)
        names = sorted(terms)
        numbered = np.array([terms[name] for name in names])
        starts = np.concatenate([[0], np.cumsum(frequency[numbered])])
        inverse = np.log1p((len(lengths) - frequency + 0.5) / (frequency + 0.5))
        norms = settings.k1 * (1 - settings.b + settings.b * lengths / lengths.mean())
        passages, scores = (
            np.lib.format.open_memmap(artifact.path(f"{name}.npy"), "w+", kind, (int(starts[-1]),))
            for name, kind in (("passages", np.int32), ("scores", np.float32))
        )
        free = np.empty_like(starts[:-1])  # where the next posting of a term goes
        free[numbered] = starts[:-1]
        progress, first = Progress(len(passages), "postings", rate="postings"), 0
        while first < len(passages):
            term, passage, count = (np.load(spilled) for _ in range(3))
            held, begin, found = np.unique(term, return_index=True, return_counts=True)
            at = np.arange(len(term)) + np.repeat(free[held] - begin, found)
            passages[at], scores[at] = passage, inverse[term] * count / (count + norms[passage])
            free[held] += found
            first += len(term)
            progress.add(len(term))
    np.save(artifact.path("starts.npy"), starts)
    np.save(artifact.path("highest.npy"), np.maximum.reduceat(scores, starts[:-1]))
    encoded = [name.encode() for name in names]
    np.save(artifact.path("words.npy"), np.frombuffer(b"".join(encoded), np.uint8))
    np.save(artifact.path("words.offsets.npy"), np.cumsum([0, *map(len, encoded)]))
    artifact.facts |= {"passages": len(lengths), "average_length": lengths.mean(), "terms": len(names)}
    artifact.facts |= {"postings": len(passages)}


def postings(columns: Iterable[list[str]], numbers: Numbers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(term, row in the batch, count), by term and row."""
    found, lengths = array("i"), []
    for texts in zip(*columns, strict=True):
        before = len(found)
        for text in texts:
            found.extend(numbers.of(text))
        lengths.append(len(found) - before)
    key = np.frombuffer(found, np.int32).astype(np.int64) << 32 | np.repeat(np.arange(len(lengths)), lengths)
    key, count = np.unique(key[key >= 0], return_counts=True)
    return (key >> 32).astype(np.int32), key.astype(np.int32), count.astype(np.int32)


# --- searching ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Index:
    """Postings in the order of terms; terms in the order of their bytes."""

    analyser: Analyser
    size: int  # passages
    letters: np.ndarray
    offsets: np.ndarray
    starts: np.ndarray
    highest: np.ndarray
    passages: np.ndarray
    scores: np.ndarray

    @cached_property
    def numbers(self) -> Numbers:
        return Numbers(self.analyser, self.number)

    def number(self, term: str) -> int:
        """A term's number by bisection, -1 for one that no passage has."""
        sought, terms = term.encode(), range(len(self.starts) - 1)
        found = bisect_left(terms, sought, key=self.term)
        return found if found < len(terms) and self.term(found) == sought else -1

    def term(self, number: int) -> bytes:
        return self.letters[self.offsets[number] : self.offsets[number + 1]].tobytes()


def load(folder: Path) -> Index:
    """An index as it lies on disk; only what searches touch is read."""
    manifest = folder / "manifest.json"
    names = ("words", "words.offsets", "starts", "highest", "passages", "scores")
    arrays = [np.asarray(np.load(member(manifest, f"{name}.npy"), mmap_mode="r")) for name in names]
    record = read_manifest(manifest)
    return Index(analyser(SimpleNamespace(**record["settings"])), record["facts"]["passages"], *arrays)


def analyser(settings) -> Analyser:
    return Analyser(settings.words, settings.stop_words, settings.stemmer)


def search(index: Index, queries: list[str], depth: int, threads: int = 1, first: int = 0) -> Run:
    """The best `depth` passages of every query, the queries numbered from `first`; what shares no word is not found."""
    from dewpoint.search.bm25_scan import NONE, scan  # the compiler is for searches alone

    terms = [Counter(index.numbers.of(query)) for query in queries]
    rows = [(row, term, count) for row, held in enumerate(terms) for term, count in held.items() if term >= 0]
    query, term, count = np.array(rows, np.int64).reshape(-1, 3).T
    weight = index.highest[term] * count
    order = np.lexsort([term, -weight, query])
    sought = term[order], count[order].astype(np.float32), weight[order]
    bounds, depth = np.searchsorted(query, np.arange(len(queries) + 1)), min(depth, index.size)

    def task(at: int) -> np.ndarray:
        own = bounds[at : at + TASK + 1]
        best = scan(index.starts, index.passages, index.scores, index.size, own, *sought, depth, BLOCK)
        best.sort(axis=1)
        return best

    with ThreadPoolExecutor(threads) as pool:
        best = np.concatenate([np.empty((0, depth), np.int64), *pool.map(task, range(0, len(queries), TASK))])
    query, _ = np.nonzero(best != NONE)
    key = best[best != NONE]
    return Run(first + query, (key & 0xFFFFFFFF).astype(np.int32), (-(key >> 32)).astype(np.int32).view(np.float32))
