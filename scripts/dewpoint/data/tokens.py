"""The token store: a dataset's texts as token ids, made once per tokenizer and shared by all models.

A column of texts is two memory-mapped arrays, all tokens and where each text starts. Ids carry no special tokens;
`assemble` adds them when a batch is made, without a Python step per token.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.appended import Appended
from dewpoint.data.dataset import Dataset
from dewpoint.data.tokenizer import special_tokens
from dewpoint.errors import UserError
from dewpoint.progress import Progress

Special = dict[
    str, int | None
]  # the ids of cls, sep, pad, mask; there may be no cls and no mask, and sep may pad as well
RIGHT, LEFT = "right", "left"  # the ends of a text
BATCH = 4096  # texts tokenised at once; an encoding takes some hundred bytes a token while it lasts
SENTENCE_END = re.compile(r"[.!?]['\"”’)\]]*\s+|[。！？]\s*|\n\s*\n\s*")


def write_tokens(dataset: Dataset, tokenizer, artifact: Artifact) -> None:
    """Tokenise the corpus, and the queries and examples of every split, a batch at a time.

    An example's texts come one after the other.
    """
    type = np.dtype(np.uint16 if len(tokenizer) <= 2**16 else np.int32)
    encoder = tokenizer.backend_tokenizer
    encoder.no_truncation()
    encoder.no_padding()
    sentences = Appended(artifact.path("corpus.sentences.npy"), np.int64) if dataset.has_corpus else None
    tables = {"corpus": ["title", "text"]} if dataset.has_corpus else {}
    tables |= {f"queries.{split}": ["text"] for split in dataset.splits}
    tables |= {f"examples.{split}": ["texts"] for split in dataset.example_splits}
    counts, positions = {}, {}
    for table, columns in tables.items():
        files = {column: _TextWriter(artifact, f"{table}.{column}", type) for column in columns}
        progress = Progress(dataset.rows(table), f"texts of {table}")
        for batch in dataset.batches(table, columns, BATCH):
            made = 0
            for column, file in files.items():
                values = batch[column]
                if column == "texts":
                    values = values.flatten()
                    positions[table.removeprefix("examples.")] = len(values) // batch.num_rows
                texts = values.to_pylist()
                if (table, column) == ("corpus", "text"):
                    encoded = encoder.encode_batch(texts, add_special_tokens=False)
                    sentences.append(file.tokens.count + _sentence_starts(texts, encoded))
                else:
                    encoded = encoder.encode_batch_fast(texts, add_special_tokens=False)
                made += file.append(encoded)
            progress.add(batch.num_rows, made)
        counts[table] = sum(file.close() for file in files.values())
    if sentences:
        sentences.close()
    artifact.facts |= {"tokens": counts, "special": special_tokens(tokenizer), "vocabulary": len(tokenizer)}
    artifact.facts |= {"examples": positions} if positions else {}


def _sentence_starts(texts: list[str], encoded: list) -> np.ndarray:
    """Positions of the tokens that begin a sentence, counted through all texts; every text begins one."""
    starts, first = [], 0
    for text, encoding in zip(texts, encoded, strict=True):
        ends = [match.end() for match in SENTENCE_END.finditer(text)]
        within = {0, *(encoding.char_to_token(end) for end in ends if end < len(text))} - {None}
        if len(encoding):
            starts += [first + position for position in sorted(within)]
        first += len(encoding)
    return np.array(starts, np.int64)


class _TextWriter:
    """A column's texts: all tokens in one file, where each text starts (and the last ends) in another."""

    def __init__(self, artifact: Artifact, name: str, type: np.dtype):
        self.tokens = Appended(artifact.path(f"{name}.npy"), type)
        self.offsets = Appended(artifact.path(f"{name}.offsets.npy"), np.int64)
        self.offsets.append(np.zeros(1, np.int64))

    def append(self, encoded: list) -> int:
        """How many tokens there were."""
        before = self.tokens.count
        self.offsets.append(before + np.cumsum([len(encoding) for encoding in encoded]))
        self.tokens.append(np.concatenate([np.asarray(encoding.ids, self.tokens.type) for encoding in encoded]))
        return self.tokens.count - before

    def close(self) -> int:
        self.tokens.close()
        self.offsets.close()
        return self.tokens.count


@dataclass
class Ragged:
    """Many token sequences in one flat array."""

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)


def ragged(ids: list[list[int]]) -> Ragged:
    """Token sequences one after the other."""
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in ids], dtype=np.int64)])
    return Ragged(np.array([token for one in ids for token in one], np.int64), offsets)


@dataclass
class TokenStore:
    """A dataset's tokens as one tokenizer made them, memory-mapped."""

    manifest: Path

    def __post_init__(self):
        facts = read_manifest(self.manifest)["facts"]
        self.special: Special = facts["special"]
        self.vocabulary: int = facts["vocabulary"]
        self.positions: dict[str, int] = facts.get("examples", {})  # texts of each example of a split

    def column(self, table: str, column: str = "text") -> Ragged:
        return Ragged(self._array(f"{table}.{column}"), self._array(f"{table}.{column}.offsets"))

    def passages(self, length: int, prefix: Sequence[int] = (), title: str = "pair") -> "Texts":
        """The corpus as inputs; its title before a text: with a [SEP] between (pair), without (prefix), not at all."""
        titles = [] if title == "none" else [self.column("corpus", "title")]
        columns = [*titles, self.column("corpus", "text")]
        return Texts(columns, length, prefix, apart=title == "pair", leading=leading(self.special))

    def queries(self, split: str, length: int, prefix: Sequence[int] = (), **how: Any) -> "Texts":
        """A split's queries as inputs; `how` as in `as_queries`."""
        return self.as_queries(self.column(f"queries.{split}"), length, prefix, **how)

    def typed(self, questions: list[str], tokenizer, length: int, prefix: Sequence[int] = (), **how: Any) -> "Texts":
        """Questions typed by hand, as queries; the tokenizer is the one that made the store."""
        ids = tokenizer(questions, add_special_tokens=False)["input_ids"]
        return self.as_queries(ragged(ids), length, prefix, **how)

    def as_queries(
        self, texts: Ragged, length: int, prefix: Sequence[int] = (), augmented: bool = False, cut: str = RIGHT
    ) -> "Texts":
        """Any tokens as queries: augmented ones are filled up with [MASK], `cut` is the end that long ones lose."""
        fill = self.special["mask"] if augmented else None
        if augmented and fill is None:
            raise UserError(f"{self.manifest}: its tokenizer has no [MASK] to fill queries up with; augmented: false")
        return Texts([texts], length, prefix, leading=leading(self.special), fill=fill, cut=cut)

    def examples(self, split: str, length: int, prefix: Sequence[int] = ()) -> list["Texts"]:
        """All first texts of a split's examples, all second ones, …"""
        if split not in self.positions:
            known = ", ".join(self.positions) or "none"
            raise UserError(f"{self.manifest}: no examples of split '{split}'; there is {known}")
        texts, count = self.column(f"examples.{split}", "texts"), self.positions[split]
        reads = partial(Texts, [texts], length, prefix, step=count, leading=leading(self.special))
        return [reads(first=position) for position in range(count)]

    def sentences(self) -> np.ndarray:
        """Where sentences start among all tokens of the passages' texts, in order."""
        return self._array("corpus.sentences")

    def _array(self, name: str) -> np.ndarray:
        return np.load(member(self.manifest, f"{name}.npy"), mmap_mode="r")


def fills_queries(settings) -> bool:
    """Whether queries are filled up with [MASK], by settings of how a model reads texts; most have no such key."""
    return getattr(settings, "augmented", False)


def query_reading(settings) -> dict[str, Any]:
    """How queries are read beyond their length and prefix, as far as the settings say it."""
    return {"augmented": fills_queries(settings), "cut": getattr(settings, "query_cut", RIGHT)}


@dataclass
class Slices:
    """Pieces of a flat token array, one a row: where each starts and how many tokens it has."""

    values: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    closed: bool = True  # a [SEP] follows
    tail: bool = False  # lies behind the last [SEP]

    def __getitem__(self, rows: np.ndarray) -> "Slices":
        return replace(self, starts=self.starts[rows], counts=self.counts[rows])


@dataclass
class Texts:
    """Texts that a model reads: a prefix, which is the same for all, then their segments, cut to fit `length`."""

    segments: Sequence[Ragged]
    length: int
    prefix: Sequence[int] = ()
    apart: bool = True  # segments are divided by [SEP]
    first: int = 0  # of the segments' rows these, and every `step`-th from there on
    step: int = 1
    leading: int = 1  # special tokens before a text
    fill: int | None = None  # the token that fills a text up to its length
    cut: str = RIGHT  # the end that a segment which is too long loses

    def __len__(self) -> int:
        return len(self.segments[0]) // self.step

    def __getitem__(self, rows: np.ndarray) -> list[Slices]:
        """The rows' pieces. Each segment but the last keeps at most half of the room; the last takes what is left."""
        return self._cut(rows)[0]

    def without(self, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> list[Slices]:
        """The rows' pieces, of each one's last segment without the tokens `first` … `last` - 1, counted through all."""
        (*before, text), limit = self._cut(rows)
        end = self.segments[-1].offsets[self.first + self.step * rows + 1]
        counts = np.minimum(first - text.starts, limit)
        after = np.minimum(end - last, limit - counts)
        parts = replace(text, counts=counts, closed=False), replace(text, starts=last, counts=after)
        return [*before, *parts]

    def _cut(self, rows: np.ndarray) -> tuple[list[Slices], np.ndarray]:
        """(the rows' pieces, how many tokens the last segment may have)."""
        rows, prefix = self.first + self.step * rows, np.array(self.prefix, np.int64)
        cut = [Slices(prefix, np.zeros(len(rows), np.int64), np.full(len(rows), len(prefix)), False)]
        cut = cut if len(prefix) else []
        room = np.full(len(rows), self.length - self.leading - len(prefix))
        for segment in self.segments:
            last = segment is self.segments[-1]
            limit = room - 1 if last else room // 2
            starts, ends = segment.offsets[rows], segment.offsets[rows + 1]
            counts = np.minimum(ends - starts, limit)
            closed = last or self.apart
            cut.append(Slices(segment.values, ends - counts if self.cut == LEFT else starts, counts, closed))
            room = room - np.where(counts > 0, counts + closed, 0)
        if self.fill is not None:
            left = room - (counts == 0)  # where the last segment is empty, a [SEP] stands for it
            cut.append(Slices(np.full(self.length, self.fill), np.zeros_like(left), left, False, tail=True))
        return cut, limit


def leading(special: Special) -> int:
    """How many special tokens come before a text: [CLS], where there is one."""
    return 0 if special["cls"] is None else 1


def input_lengths(segments: Sequence[Slices], special: Special) -> np.ndarray:
    """Tokens of each row with its special ones; a row without any of its own is [CLS] [SEP]."""
    used, open_end = leading(special), True
    for segment in segments:
        used = used + np.where(segment.counts > 0, segment.counts + segment.closed, 0)
        open_end = open_end if segment.tail else np.where(segment.counts > 0, not segment.closed, open_end)
    return used + open_end


def assemble(segments: Sequence[Slices], special: Special) -> np.ndarray:
    """Input ids [rows, longest]: [CLS] segment [SEP] segment [SEP] tail, empty segments left out, then padding."""
    used = input_lengths(segments, special)
    closing = input_lengths([segment for segment in segments if not segment.tail], special) - 1
    ids = np.full((len(used), used.max(initial=leading(special) + 1)), special["pad"], np.int64)
    at = np.full(len(used), leading(special))
    if leading(special):
        ids[:, 0] = special["cls"]
    for segment in segments:
        at = closing + 1 if segment.tail else at
        row, column = ragged_range(segment.counts)
        ids[row, at[row] + column] = segment.values[segment.starts[row] + column]
        at += segment.counts
        if segment.closed:
            filled = np.flatnonzero(segment.counts)
            ids[filled, at[filled]] = special["sep"]
            at[filled] += 1
    ids[np.arange(len(ids)), closing] = special["sep"]
    return ids


def inputs(segments: Sequence[Slices], special: Special) -> tuple[np.ndarray, np.ndarray]:
    """Input ids, and which of them are tokens (1) and which padding (0), whose id may be that of a text's end."""
    ids = assemble(segments, special)
    return ids, (np.arange(ids.shape[1]) < input_lengths(segments, special)[:, None]).astype(np.int64)


def ragged_range(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, position in row) of every element of rows with these counts: [2, 1] gives [0, 0, 1], [0, 1, 0]."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)


def batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Rows in batches of like lengths, each of at most `budget` tokens with its padding (or of one row)."""
    order = np.argsort(lengths, kind="stable")
    while len(order):
        yield (batch := first_batch(lengths, order, budget))
        order = order[len(batch) :]


def first_batch(lengths: np.ndarray, order: np.ndarray, budget: float) -> np.ndarray:
    """As many of the rows in `order`, shortest first, as `budget` tokens hold with their padding; at least one."""
    ahead = order[: int(budget)]
    fits = np.arange(1, len(ahead) + 1) * lengths[ahead] <= budget
    return ahead[: max(1, int(fits.sum()))]
