"""`file`: a ranker that others ran; its runs are text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.evaluation.registry import HIT
from dewpoint.study.bases import Inputs, Ranker, Resources
from dewpoint.study.kind import For, Names
from dewpoint.study.types import Name


class RunFiles(Ranker):
    """A ranker that others ran: its runs as text, TREC's (query Q0 passage rank score tag) or MS MARCO's."""

    resources: ClassVar[dict[str, Resources]] = {"rank": Resources(mem_mb=8000, runtime=60)}

    kind: Literal["file"]
    on: Annotated[Name, Names("datasets")] = Field(description="the dataset that its ids are of")
    runs: Annotated[dict[Name, str], For()] = Field(
        min_length=1, description="a file for each split, plain, .gz or .zst"
    )

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return super().rank_settings(graph, split) | {"split": split}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)], "file": [self.runs[split]]}

    def check(self, study) -> Iterator[tuple[str, str]]:
        answered = study.datasets[self.on].answered or []
        for split, file in self.runs.items():
            if wrong := study.lacks_split(self.on, split, [f"{HIT}@1" if split in answered else "MRR@10"]):
                yield "runs", wrong
            if not Path(file).is_file():
                yield f"runs.{split}", f"no file '{file}'"

    def check_on(self, study, name: str, dataset: str, split: str, shown: bool) -> Iterator[tuple[str, str]]:
        if self.on != dataset or split not in self.runs:
            known = ", ".join(f"{self.on}/{known}" for known in self.runs)
            yield "", f"ranker '{name}' has no run on {dataset}/{split}, only on {known}"

    def rehearsed(self, **more: Any) -> Ranker:
        """Such a run is of the real queries; BM25 stands in for it."""
        from dewpoint.rankers.bm25 import Bm25

        return Bm25(kind="bm25", depth=self.depth, published=self.published)


def rank(artifact: Artifact, settings, dataset: Path, file: Path) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.data.run_files import read_lines
    from dewpoint.data.runs import RunWriter

    with RunWriter(artifact) as written:
        for block in read_lines(file, Dataset(dataset), settings.split, settings.depth):
            written.write(block)
