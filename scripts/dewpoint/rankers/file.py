"""`file`: a ranker that others ran; its runs are text."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.rankers._of_others import OfOthers
from dewpoint.study.bases import Resources
from dewpoint.study.kind import For
from dewpoint.study.types import Name


class RunFiles(OfOthers):
    """A ranker that others ran: its runs as text, TREC's (query Q0 passage rank score tag) or MS MARCO's."""

    resources: ClassVar[dict[str, Resources]] = {"rank": Resources(mem_mb=8000, runtime=60)}
    held_by: ClassVar[str] = "runs"

    kind: Literal["file"]
    runs: Annotated[dict[Name, str], For()] = Field(
        min_length=1, description="a file for each split, plain, .gz or .zst"
    )


def rank(artifact: Artifact, settings, dataset: Path, file: Path) -> None:
    from dewpoint.data.dataset import Dataset
    from dewpoint.data.run_files import read_lines
    from dewpoint.data.runs import RunWriter

    with RunWriter(artifact) as written:
        for block in read_lines(file, Dataset(dataset), settings.split, settings.depth):
            written.write(block)
