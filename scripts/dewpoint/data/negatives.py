"""Negatives: what a run over the training queries becomes once positives are taken out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact, member

SCHEMA = pa.schema([("query", pa.int32()), ("source", pa.int32()), ("passages", pa.list_(pa.int32()))])


@dataclass
class Negatives:
    """Instances: a query with the negatives that one ranker gave it."""

    query: np.ndarray
    passages: np.ndarray  # flat
    offsets: np.ndarray


def read_negatives(manifest: Path) -> Negatives:
    table = pq.read_table(member(manifest), schema=SCHEMA)
    lists = table["passages"].combine_chunks()
    return Negatives(
        table["query"].to_numpy().astype(np.int64), lists.values.to_numpy(), lists.offsets.to_numpy().astype(np.int64)
    )


def write_negatives(
    artifact: Artifact,
    runs: list[tuple[np.ndarray, np.ndarray]],
    judged: tuple[np.ndarray, np.ndarray],
    depth: int,
    kept: int,
    seed: int,
) -> None:
    """From each run's (query, passage) rows in rank order: the first `depth`, less the judged, `kept` of them at random.

    A query that a run leaves without any negative is still an instance; training tops it up at random passages.
    """
    bound = 1 + max([int(x.max(initial=0)) for _, x in [*runs, judged]])
    known = np.unique(judged[0].astype(np.int64) * bound + judged[1])
    tables, facts = [], []
    for source, (query, passage) in enumerate(runs):
        rank = np.arange(len(query)) - np.searchsorted(query, query)
        free = (rank < depth) & ~np.isin(query.astype(np.int64) * bound + passage, known)
        query, passage = query[free], passage[free]
        order = np.lexsort([np.random.default_rng([seed, source]).random(len(query)), query])
        query, passage = query[order], passage[order]
        chosen = np.arange(len(query)) - np.searchsorted(query, query) < kept
        query, passage = query[chosen], passage[chosen]
        trained = np.unique(judged[0])
        offsets = np.concatenate([np.searchsorted(query, trained), [len(query)]]).astype(np.int32)
        counts = np.diff(offsets)
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(passage, pa.int32()))
        columns = [pa.array(trained, pa.int32()), pa.array(np.full(len(trained), source), pa.int32()), lists]
        tables.append(pa.Table.from_arrays(columns, schema=SCHEMA))
        facts.append({"negatives": int(counts.sum()), "queries_without": int((counts == 0).sum())})
    pq.write_table(pa.concat_tables(tables), artifact.beside(".parquet"), compression="zstd")
    artifact.facts |= {"sources": facts}
