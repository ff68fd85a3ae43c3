"""Vectors as the encoding program stores them, in any number of shards; runs as rankers do."""

import json
from pathlib import Path

import numpy as np

from dewpoint.artifact import Artifact
from dewpoint.data.runs import Run, write_run
from dewpoint.search.vectors import Vectors, VectorWriter

WINDOW = 65_536  # rows written at once


def store(folder: Path, name: str, vectors: np.ndarray, bounds=(), model: str = "first (abc)") -> Vectors:
    """Shards end before the rows in `bounds`."""
    manifests, ends = [], [*sorted(bounds), len(vectors)]
    for number, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
        artifact = Artifact(folder / f"{name}-{number}of{len(ends)}.json")
        with VectorWriter(artifact.beside(".parquet"), vectors.shape[1], vectors.dtype) as file:
            for start in range(first, end, WINDOW):
                file.write(vectors[start : min(end, start + WINDOW)])
        facts = {"model": model, "dimension": vectors.shape[1], "first": int(first)}
        artifact.facts |= facts | {"rows": int(end - first), "of": len(vectors)}
        artifact.seal()
        manifests.append(artifact.manifest)
    return Vectors(manifests)


def change(manifest: Path, **facts) -> None:
    record = json.loads(manifest.read_text())
    record["facts"] |= facts
    manifest.write_text(json.dumps(record))


def store_run(folder: Path, name: str, run: Run) -> Path:
    artifact = Artifact(folder / f"{name}.json")
    write_run(artifact, run)
    artifact.seal()
    return artifact.manifest
