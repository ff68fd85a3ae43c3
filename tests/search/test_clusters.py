"""Clusters of vectors are those of k-means: each vector is in the cluster whose centroid is the nearest."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from dewpoint.artifact import member, read_manifest
from dewpoint.errors import UserError
from dewpoint.search.clusters import cluster
from dewpoint.search.vectors import Vectors
from programs import call
from stored import store

GROUPS = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9]], np.float32)


@pytest.fixture
def stored(tmp_path):
    """Sixty vectors in three far groups, and which each is of."""
    random = np.random.default_rng(0)
    group = random.integers(0, 3, 60)
    vectors = (GROUPS[group] + random.normal(size=(60, 3))).astype(np.float32)
    return store(tmp_path, "queries.train", vectors).manifests[0], vectors, group


def test_groups_that_lie_apart_are_the_clusters(stored):
    manifest, vectors, group = stored
    found, inertia = cluster(Vectors([manifest]), 3, 10, 1, 1)
    assert len({*zip(found.tolist(), group.tolist(), strict=True)}) == 3
    expected = sum(((vectors[found == one] - vectors[found == one].mean(0)) ** 2).sum() for one in range(3))
    assert inertia == pytest.approx(expected, rel=1e-4)


def test_the_seed_decides_and_each_vector_is_at_the_nearest_mean(stored):
    """After many rounds nothing moves: means of the clusters are their centroids."""
    manifest, vectors, _ = stored
    one, two, other = (cluster(Vectors([manifest]), 7, 100, seed, 2)[0] for seed in (5, 5, 2**40 + 6))
    assert (one == two).all() and (one != other).any()
    means = np.stack([vectors[one == at].mean(0) for at in range(7)])
    assert (((vectors[:, None] - means[None]) ** 2).sum(2).argmin(1) == one).all()


def test_more_clusters_than_queries_are_refused(stored):
    with pytest.raises(UserError, match=r"^clusters: 61 are wanted of 60 queries; take fewer$"):
        cluster(Vectors([stored[0]]), 61, 10, 1, 1)


def test_the_program_writes_each_querys_cluster_and_how_they_are(stored, tmp_path):
    manifest, _, group = stored
    output = tmp_path / "clusters" / "manifest.json"
    call("cluster", output, {"clusters": 3, "iterations": 10, "seed": 1, "threads": 1}, queries=manifest)
    table, facts = pq.read_table(member(output)), read_manifest(output)["facts"]
    sizes = np.bincount(group)
    assert table["query"].to_pylist() == list(range(60)) and len(set(table["cluster"].to_pylist())) == 3
    assert (facts["smallest"], facts["largest"], facts["queries"]) == (sizes.min(), sizes.max(), 60)
    assert facts["inertia"] > 0
