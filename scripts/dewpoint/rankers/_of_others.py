"""What rankers share that others ran: a file for each split, with the ids of a dataset."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dewpoint.evaluation.registry import HIT
from dewpoint.study.bases import Inputs, Ranker
from dewpoint.study.kind import Names
from dewpoint.study.types import Name


class OfOthers(Ranker):
    """A ranker that others ran."""

    held_by: ClassVar[str]  # the field that names the files

    on: Annotated[Name, Names("datasets")] = Field(description="the dataset that its ids are of")

    @property
    def files(self) -> dict[str, str]:
        """By split."""
        return getattr(self, self.held_by)

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return super().rank_settings(graph, split) | {"split": split}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)], "file": [self.files[split]]}

    def check(self, study) -> Iterator[tuple[str, str]]:
        answered = study.datasets[self.on].answered or []
        for split, file in self.files.items():
            if wrong := study.lacks_split(self.on, split, [f"{HIT}@1" if split in answered else "MRR@10"]):
                yield self.held_by, wrong
            if not Path(file).is_file():
                yield f"{self.held_by}.{split}", f"no file '{file}'"

    def check_on(self, study, name: str, dataset: str, split: str, shown: bool) -> Iterator[tuple[str, str]]:
        if self.on != dataset or split not in self.files:
            known = ", ".join(f"{self.on}/{known}" for known in self.files)
            yield "", f"ranker '{name}' has no run on {dataset}/{split}, only on {known}"

    def rehearsed(self, **more: Any) -> Ranker:
        """Such a run is of the real queries; BM25 stands in for it."""
        from dewpoint.rankers.bm25 import Bm25

        return Bm25(kind="bm25", depth=self.depth, published=self.published)
