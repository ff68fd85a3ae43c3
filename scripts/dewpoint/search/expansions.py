"""Queries that a model writes for each passage, in shards; and a dataset whose passages have them at their end.

What is random about a passage is a function of the seed and its row. Passages come together in batches within blocks
of rows, whatever the shard, and a block is what an interrupted job keeps: so a passage's queries are the same, bit for
bit, in any shards and after any interruption.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from dewpoint.artifact import Artifact, member, read_manifest
from dewpoint.data.dataset import BATCH, Dataset
from dewpoint.data.kept import keep, kept
from dewpoint.data.lots import keys, uniform
from dewpoint.data.parquet import row_batches
from dewpoint.errors import UserError
from dewpoint.models.device import device_of
from dewpoint.models.seq2seq import as_read, bytes_a_text, in_batches, write
from dewpoint.progress import Progress
from dewpoint.search.encode import shard_bounds

BLOCK = 1024  # passages
HELD = {"cpu": 2**28, "cuda": 2**33}  # bytes of keys and values at once
WRITTEN = 3  # purpose of a passage's lots
SCHEMA = pa.schema([("passage", pa.int32()), ("queries", pa.list_(pa.string()))])


# --- writing ------------------------------------------------------------------------------------


def expand(artifact: Artifact, dataset: Dataset, model, tokenizer, settings, block: int = BLOCK) -> None:
    """A shard's passages with their queries, a block at a time; those that an earlier attempt has finished are kept."""
    total, folder = dataset.rows("corpus"), artifact.workspace()
    bounds = shard_bounds(-(-total // block), settings.shard, settings.shards)
    first, end = (min(bound * block, total) for bound in bounds)
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(first, end, block)
    done = {start for start in starts if kept(_file(folder, start), SCHEMA)}
    progress = Progress(end - first, "passages", sum(min(block, end - start) for start in done), rate="passages")
    texts_of_all = _texts(dataset, settings, first)
    for start in starts:
        texts = list(islice(texts_of_all, min(block, end - start)))
        if start not in done:
            queries = write_queries(model, tokenizer, texts, start, settings, progress)
            rows = pa.array(np.arange(start, start + len(texts), dtype=np.int32))
            arrays = [rows, pa.array(queries, SCHEMA.types[1])]
            keep(_file(folder, start), pa.Table.from_arrays(arrays, schema=SCHEMA))
    with pq.ParquetWriter(artifact.beside(".parquet"), SCHEMA, compression="zstd") as file:
        for start in starts:
            file.write_table(kept(_file(folder, start), SCHEMA))
    artifact.facts |= {"first": first, "rows": end - first, "of": total}
    artifact.finished = folder


def write_queries(
    model, tokenizer, texts: list[str], first: int, settings, progress: Progress | None = None, held: int = 0
) -> list[list[str]]:
    """Of consecutive passages, the first of them row `first`; those of like lengths are worked on together."""
    device, written = device_of(model), [[] for _ in texts]
    ids = tokenizer(texts, truncation=True, max_length=settings.passage_length)["input_ids"]

    def work(rows: list[int]) -> None:
        batch = tokenizer.pad({"input_ids": [ids[row] for row in rows]}, return_tensors="pt").to(device)
        lots = torch.from_numpy(lots_of(first + np.array(rows), settings)).to(device)
        tokens = write(model, batch["input_ids"], batch["attention_mask"], lots, settings.top_k, settings.temperature)
        said = iter(tokenizer.batch_decode(tokens.flatten(0, 1).cpu(), skip_special_tokens=True))
        for row in rows:
            written[row] = [query.strip() for query in islice(said, settings.queries)]
        if progress:
            progress.add(len(rows))

    in_batches(
        [bytes_a_text(model, len(own), settings.queries, settings.query_length) for own in ids],
        held or HELD[device.type],
        work,
    )
    return written


def lots_of(rows: np.ndarray, settings) -> np.ndarray:
    """Numbers in [0, 1) [passages, queries, tokens], a passage's made of the seed and its row alone."""
    each = [
        uniform(keys(settings.seed, query, rows), settings.query_length, WRITTEN) for query in range(settings.queries)
    ]
    return np.stack(each, 1)


def _texts(dataset: Dataset, settings, first: int) -> Iterator[str]:
    """Passages as the model reads them, from row `first` on."""
    for batch in dataset.batches("corpus", ["title", "text"]):
        own, first = batch.slice(min(first, len(batch))), max(0, first - len(batch))
        for title, text in zip(own["title"].to_pylist(), own["text"].to_pylist(), strict=True):
            yield as_read(title, text, settings)


def _file(folder: Path, start: int) -> Path:
    return folder / f"{start}.parquet"


# --- reading ------------------------------------------------------------------------------------


class Expanded(Dataset):
    """A dataset whose passages have one column more, `queries`: what was written for them, joined."""

    def __init__(self, manifest: Path, shards: list[Path]):
        super().__init__(manifest)
        row = 0
        for shard in shards:
            facts = read_manifest(shard)["facts"]
            if facts["first"] != row:
                raise UserError(f"{shard}: begins at row {facts['first']:,}, but row {row:,} comes next")
            row += facts["rows"]
        if row != self.rows("corpus"):
            raise UserError(f"{shards[-1]}: ends at row {row:,} of {self.rows('corpus'):,}; name all shards")
        self.files = [member(shard) for shard in shards]

    def batches(self, table: str, columns: list[str], size: int = BATCH) -> Iterator[pa.RecordBatch]:
        """Of the corpus, with the queries; neither is ever all in memory."""
        queries = self._queries()
        for batch in super().batches(table, columns, size):
            yield batch.append_column("queries", pa.array(islice(queries, len(batch)), pa.string()))

    def _queries(self) -> Iterator[str]:
        for file in self.files:
            for batch in row_batches(file, ["queries"]):
                yield from pc.binary_join(batch["queries"], " ").to_pylist()
