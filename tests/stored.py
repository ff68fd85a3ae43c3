"""Vectors as the encoding program stores them, in any number of shards; runs as rankers do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dewpoint.artifact import Artifact, read_manifest, write_manifest
from dewpoint.data.runs import Run, write_run
from dewpoint.search.vectors import Vectors, VectorWriter

WINDOW = 65_536  # rows written at once


def store(folder: Path, name: str, vectors: np.ndarray, bounds=(), model: str = "first (abc)") -> Vectors:
    """Shards end before the rows in `bounds`."""

    def write(path: Path, first: int, end: int) -> None:
        with VectorWriter(path, vectors.shape[1], vectors.dtype) as file:
            for start in range(first, end, WINDOW):
                file.write(vectors[start : min(end, start + WINDOW)])

    return sealed(folder, name, len(vectors), vectors.shape[1], bounds, write, model)


def store_several(folder: Path, name: str, vectors: np.ndarray, counts: np.ndarray, bounds=()) -> Vectors:
    """`counts` of the vectors are each text's."""
    offsets = np.concatenate([[0], np.cumsum(counts)])

    def write(path: Path, first: int, end: int) -> None:
        with VectorWriter(path, vectors.shape[1], vectors.dtype, several=True) as file:
            file.write_several(vectors[offsets[first] : offsets[end]], counts[first:end])

    return sealed(folder, name, len(counts), vectors.shape[1], bounds, write)


def sealed(
    folder: Path,
    name: str,
    rows: int,
    dimension: int,
    bounds,
    write: Callable[[Path, int, int], None],
    model: str = "first (abc)",
) -> Vectors:
    """The shards that `write(path, first row, row after the last)` makes, with their manifests."""
    manifests, ends = [], [*sorted(bounds), rows]
    for number, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
        artifact = Artifact(folder / f"{name}-{number}of{len(ends)}.json")
        write(artifact.beside(".parquet"), int(first), int(end))
        facts = {"model": model, "dimension": dimension, "first": int(first)}
        artifact.facts |= facts | {"rows": int(end - first), "of": rows}
        artifact.seal()
        manifests.append(artifact.manifest)
    return Vectors(manifests)


def change(manifest: Path, **facts) -> None:
    record = read_manifest(manifest)
    record["facts"] |= facts
    write_manifest(manifest, record)


def store_run(folder: Path, name: str, run: Run) -> Path:
    artifact = Artifact(folder / f"{name}.json")
    write_run(artifact, run)
    artifact.seal()
    return artifact.manifest
