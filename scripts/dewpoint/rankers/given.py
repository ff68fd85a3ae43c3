"""`given`: passages that came with a dataset's queries, as a run: in their order, the score is the rank's negative."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Ranker, Resources
from dewpoint.study.kind import For
from dewpoint.study.types import Name
from dewpoint.study.written import nearest


class Given(Ranker):
    """Passages that came with a dataset's queries, in their order, such as the negatives of a training set."""

    resources: ClassVar[dict[str, Resources]] = {"rank": Resources(mem_mb=4000, runtime=60)}

    kind: Literal["given"]
    list: Annotated[Name, For("rank")] = Field(description="which of the dataset's lists: triples, hard, …")

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return super().rank_settings(graph, split) | {"split": split}

    def check(self, study) -> Iterator[tuple[str, str]]:
        known = dict.fromkeys(name for dataset in study.datasets.values() for name in dataset.lists)
        if self.list not in known:
            yield "list", f"no list '{self.list}'{nearest(self.list, [*known])}"

    def check_on(self, study, name: str, dataset: str, split: str, shown: bool) -> Iterator[tuple[str, str]]:
        if split not in study.datasets[dataset].lists.get(self.list, []):
            yield "", f"dataset '{dataset}' has no list '{self.list}' of {split} queries"


def rank(artifact: Artifact, settings, dataset: Path) -> None:
    import numpy as np

    from dewpoint.data.dataset import Dataset
    from dewpoint.data.runs import Run, write_run

    query, passage = Dataset(dataset).listed(settings.list, settings.split)
    place = Run(query, passage, np.zeros(0)).rank
    kept = place <= settings.depth
    write_run(artifact, Run(query[kept], passage[kept], -place[kept].astype(np.float32)))
