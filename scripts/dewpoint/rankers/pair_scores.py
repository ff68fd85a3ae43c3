"""`pair-scores`: what a teacher of others gave the positives and negatives of training triples, as a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.rankers._of_others import OfOthers
from dewpoint.study.bases import Resources
from dewpoint.study.kind import For
from dewpoint.study.sizes import Cost, of_core
from dewpoint.study.types import Name

READ = 4_000_000  # bytes of a file that a core reads in a second; measured


class PairScores(OfOthers):
    """A teacher's scores that others published of training triples: its run has their pairs, positives too."""

    resources: ClassVar[dict[str, Resources]] = {"rank": Resources(mem_mb=8000, runtime=120)}
    held_by: ClassVar[str] = "scores"

    kind: Literal["pair-scores"]
    scores: Annotated[dict[Name, str], For()] = Field(
        min_length=1,
        description="a file for each split, plain, .gz or .zst: score_pos score_neg query_id pos_passage_id "
        "neg_passage_id, with tabs",
    )
    apart: Annotated[float, For("rank")] = Field(
        0.001, ge=0, description="how far a pair's scores may be from its first, which counts, where it comes again"
    )

    def check_on(self, study, name: str, dataset: str, split: str, shown: bool) -> Iterator[tuple[str, str]]:
        yield from super().check_on(study, name, dataset, split, shown)
        if shown:
            yield "", f"ranker '{name}' is shown the positives of {dataset}/{split} itself; it is a teacher's alone"

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        file = Path(self.scores[split])
        return super().rank_cost(sizes, dataset, split) + of_core(file.stat().st_size if file.is_file() else 0, READ)


def rank(artifact: Artifact, settings, dataset: Path, file: Path) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.data.pair_scores import read_pair_scores
    from dewpoint.data.runs import RunWriter

    with RunWriter(artifact) as written:
        for block in read_pair_scores(file, Dataset(dataset), settings, artifact.staging):
            written.write(block)
