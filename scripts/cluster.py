"""Group the queries of a split by their vectors, for batches of queries that lie together."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dewpoint.artifact import Artifact
from dewpoint.program import Settings, run
from dewpoint.search.clusters import cluster
from dewpoint.search.vectors import Vectors


def main(artifact: Artifact, settings: Settings, queries: Path) -> None:
    vectors = Vectors([queries])
    found, inertia = cluster(vectors, settings.clusters, settings.iterations, settings.seed, settings.threads)
    table = {"query": np.arange(len(found), dtype=np.int32), "cluster": found.astype(np.int32)}
    pq.write_table(pa.table(table), artifact.path("clusters.parquet"), compression="zstd")
    sizes = np.bincount(found, minlength=settings.clusters)
    artifact.facts |= {"model": vectors.model, "queries": len(found), "clusters": settings.clusters}
    artifact.facts |= {"smallest": int(sizes.min()), "largest": int(sizes.max()), "inertia": inertia}


if __name__ == "__main__":
    run(main)
