"""How clusters of queries are made, and what compositions by them share."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from dewpoint.study.bases import Batches, Inputs
from dewpoint.study.kind import For, Kind, Names
from dewpoint.study.types import Count, Label, Seed

if TYPE_CHECKING:
    import numpy as np

    from dewpoint.data.clustered import Clustered

CLUSTERS = For("clusters")


class Clusters(Kind):
    """Clusters of a split's queries, made once from a model's vectors; who wants the same shares them."""

    model: Annotated[Label, Names("models")] = Field(description="whose vectors of the queries are clustered")
    clusters: Annotated[Count, CLUSTERS] = Field(2000, description="k of k-means")
    iterations: Annotated[Count, CLUSTERS] = Field(20, description="of k-means")
    clusters_seed: Annotated[Seed | None, CLUSTERS] = Field(
        None, description="of the first centroids; config.yaml's when left out"
    )

    def clusters_settings(self, config) -> dict[str, Any]:
        seed = config.seed if self.clusters_seed is None else self.clusters_seed
        made = {"clusters": self.clusters, "iterations": self.iterations}
        return made | {"seed": seed, "threads": config.threads}

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        model = study.models[self.model]
        if model.pairs or model.writes:
            yield "model", f"'{self.model}' gives no vectors; name a retriever"
        if model.several:
            yield "model", f"'{self.model}' gives a vector for each token; name a retriever, which gives one a text"

    def small(self) -> dict[str, Any]:
        return super().small() | {"clusters": min(self.clusters, 2), "iterations": min(self.iterations, 3)}


class ByClusters(Clusters, Batches):
    """Queries of a batch are of the same clusters."""

    clusters_per_batch: Count = Field(1, description="clusters that a batch's queries are drawn from, as many of each")
    draw: Literal["uniform", "by-size"] = Field(
        "uniform", description="how clusters are drawn: all alike, or by how many training queries they have"
    )

    def inputs(self, graph, data: str, split: str) -> Inputs:
        return {"clusters": [graph.clusters(self, data, split)]}


def compose(queries: "np.ndarray", size: int, seed: int, settings, clusters: Path, bins: int = 1) -> "Clustered":
    """Batches of instances, whose queries are in the clusters of a file."""
    import pyarrow.parquet as pq

    from dewpoint.artifact import member
    from dewpoint.data.clustered import Clustered

    of_query = pq.read_table(member(clusters), columns=["cluster"])["cluster"].to_numpy()
    by_size = settings.draw == "by-size"
    return Clustered(queries, of_query[queries], size, seed, settings.clusters_per_batch, by_size, bins)
