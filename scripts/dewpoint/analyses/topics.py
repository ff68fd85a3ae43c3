"""`topics`: the queries of a split in the clusters of a model's vectors, drawn in two dimensions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.batches._clustered import Clusters
from dewpoint.study.bases import Analysis, Inputs, Resources
from dewpoint.study.kind import Names
from dewpoint.study.sizes import Cost, of_core
from dewpoint.study.types import Count, Name

PLACED = 20_000  # queries that a core puts in their place in a second
NEAREST = 3  # queries shown of a cluster
LONGEST = 100  # letters of a line beneath the figure


class Topics(Clusters, Analysis):
    """The queries of a split in the clusters of a model's vectors; the largest coloured and named by their words."""

    resources: ClassVar[Resources] = Resources(mem_mb=8000, runtime=120)

    kind: Literal["topics"]
    data: Annotated[Name, Names("datasets")] = Field(description="the dataset whose queries they are")
    split: Name = Field("train", description="of the queries")
    shown: Count = Field(6, le=6, description="clusters that are coloured and listed, the largest")
    words: Count = Field(8, description="of each of them: those more frequent in it than elsewhere")
    points: Count = Field(
        4000, description="queries drawn at most, at random: half of these clusters, half of the others"
    )

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if wrong := study.lacks_split(self.data, self.split):
            yield "split", wrong

    def inputs(self, graph) -> Inputs:
        return {
            "dataset": [graph.dataset(self.data)],
            "queries": graph.embeddings(self.model, self.data, f"queries.{self.split}"),
            "clusters": [graph.clusters(self, self.data, self.split)],
        }

    def small(self) -> dict[str, Any]:
        return super().small() | {"points": min(self.points, 50)}

    def cost(self, sizes) -> Cost:
        return of_core(sizes.queries(self.data, self.split), PLACED)


def work(artifact: Artifact, settings, dataset: Path, queries: list[Path], clusters: Path) -> None:
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    from dewpoint.artifact import member
    from dewpoint.data.dataset import Dataset
    from dewpoint.report.chart import dots
    from dewpoint.search.topics import nearest, plane, telling_words
    from dewpoint.search.vectors import Vectors

    vectors = Vectors(queries)
    cluster = pq.read_table(member(clusters), columns=["cluster"])["cluster"].to_numpy()
    texts = Dataset(dataset).column(f"queries.{settings.split}", "text").to_pylist()
    sizes = np.bincount(cluster)
    shown = [one for one in np.argsort(-sizes, kind="stable")[: settings.shown].tolist() if sizes[one]]
    places, shares = plane(vectors)
    words = telling_words(texts, cluster, shown, settings.words)
    said = [[texts[row] for row in rows] for rows in nearest(vectors, cluster, shown, NEAREST)]
    table = {"query": np.arange(len(cluster), dtype=np.int32), "x": places[:, 0], "y": places[:, 1], "cluster": cluster}
    pd.DataFrame(table).to_parquet(artifact.path("topics.parquet"), index=False)
    listed = {"cluster": shown, "queries": sizes[shown]}
    listed |= {"words": [", ".join(of) for of in words], "nearest to its centroid": [" · ".join(of) for of in said]}
    pd.DataFrame(listed).to_parquet(artifact.path("largest.parquet"), index=False)

    random, coloured = np.random.default_rng(settings.seed), np.isin(cluster, shown)
    drawn = [random.permutation(np.flatnonzero(of))[: settings.points // 2] for of in (coloured, ~coloured)]
    groups = {
        f"{one}: {', '.join(of)}"[:LONGEST]: places[np.sort(drawn[0][cluster[drawn[0]] == one])].tolist()
        for one, of in zip(shown, words, strict=True)
    }
    axes = [f"{share:.0%} of the variance" for share in shares]
    artifact.path("topics.svg").write_text(dots(groups, places[np.sort(drawn[1])].tolist(), *axes), encoding="utf-8")
    artifact.facts |= {
        "queries": len(cluster),
        "clusters": len(sizes),
        "variance": [round(of, 6) for of in shares.tolist()],
    }
