"""The token store: a dataset's texts as token ids, made once per tokenizer and shared by all models.

Ids carry no special tokens; `assemble` adds them when a batch is made, without a Python step per token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.dataset import Dataset

TEXT_COLUMNS = {"corpus": ["title", "text"]}


def write_tokens(dataset: Dataset, tokenizer, artifact: Artifact) -> None:
    """Tokenise the corpus and the queries of every split, a batch at a time."""
    type = pa.uint16() if len(tokenizer) <= 2**16 else pa.int32()
    counts = {}
    for table in ["corpus", *(f"queries.{split}" for split in dataset.splits)]:
        columns = TEXT_COLUMNS.get(table, ["text"])
        schema = pa.schema([(column, pa.list_(type)) for column in columns])
        counts[table] = 0
        with pq.ParquetWriter(artifact.path(f"{table}.parquet"), schema, compression="zstd") as file:
            for batch in dataset.batches(table, columns):
                arrays = [_token_lists(tokenizer, batch[column].to_pylist(), type) for column in columns]
                counts[table] += sum(len(array.values) for array in arrays)
                file.write_table(pa.Table.from_arrays(arrays, schema=schema))
    artifact.facts |= {"tokens": counts, "special": special_tokens(tokenizer), "vocabulary": len(tokenizer)}


def special_tokens(tokenizer) -> dict[str, int]:
    return {name: getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "pad", "mask")}


def _token_lists(tokenizer, texts: list[str], type: pa.DataType) -> pa.ListArray:
    encoded = tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(encoding) for encoding in encoded], out=offsets[1:])
    values = np.concatenate([np.asarray(encoding.ids, type.to_pandas_dtype()) for encoding in encoded])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, type))


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


@dataclass
class TokenStore:
    """A dataset's tokens as one tokenizer made them."""

    manifest: Path

    def __post_init__(self):
        facts = read_manifest(self.manifest)["facts"]
        self.special: dict[str, int] = facts["special"]
        self.vocabulary: int = facts["vocabulary"]

    def column(self, table: str, column: str = "text") -> Ragged:
        lists = pq.read_table(member(self.manifest, f"{table}.parquet"), columns=[column])[column].combine_chunks()
        offsets = lists.offsets.to_numpy().astype(np.int64)
        return Ragged(lists.values.to_numpy(), offsets)

    def passages(self) -> list[Ragged]:
        """The segments of a passage: its title, when it has one, and its text."""
        return [self.column("corpus", "title"), self.column("corpus", "text")]

    def queries(self, split: str) -> list[Ragged]:
        return [self.column(f"queries.{split}")]


@dataclass
class Slices:
    """Pieces of a flat token array, one a row: where each starts and how many tokens it has."""

    values: np.ndarray
    starts: np.ndarray
    counts: np.ndarray


def truncate(segments: Sequence[Ragged], rows: np.ndarray, length: int) -> list[Slices]:
    """The rows' segments cut to fit `length` with their special tokens.

    Every segment but the last keeps at most half of the room; the last takes what is left.
    """
    cut, room = [], np.full(len(rows), length - 1)
    for segment in segments:
        limit = room - 1 if segment is segments[-1] else (length - 1) // 2
        counts = np.minimum(segment.offsets[rows + 1] - segment.offsets[rows], limit)
        cut.append(Slices(segment.values, segment.offsets[rows], counts))
        room = room - np.where(counts > 0, counts + 1, 0)
    return cut


def input_lengths(segments: Sequence[Slices]) -> np.ndarray:
    """Tokens of each row with its special ones; a row without any of its own is [CLS] [SEP]."""
    return np.maximum(2, 1 + sum(np.where(segment.counts > 0, segment.counts + 1, 0) for segment in segments))


def assemble(segments: Sequence[Slices], special: dict[str, int]) -> np.ndarray:
    """Input ids [rows, longest]: [CLS] segment [SEP] segment [SEP], empty segments left out, then padding."""
    used = input_lengths(segments)
    ids = np.full((len(used), used.max(initial=2)), special["pad"], np.int64)
    ids[:, 0] = special["cls"]
    at = np.ones(len(used), np.int64)
    for segment in segments:
        row, column = ragged_range(segment.counts)
        ids[row, at[row] + column] = segment.values[segment.starts[row] + column]
        at += segment.counts
        filled = np.flatnonzero(segment.counts)
        ids[filled, at[filled]] = special["sep"]
        at[filled] += 1
    ids[np.arange(len(ids)), used - 1] = special["sep"]
    return ids


def ragged_range(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, position in row) of every element of rows with these counts: [2, 1] gives [0, 0, 1], [0, 1, 0]."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
