"""What analyses of the runs over one split share."""

from typing import Annotated

from pydantic import Field

from dewpoint.study.bases import Analysis, Inputs
from dewpoint.study.kind import For
from dewpoint.study.types import Place


class OnSplit(Analysis):
    """Its work reads the split's dataset beside the runs that it asks for."""

    on: Annotated[Place, For()] = Field(description="dataset/split")

    def inputs(self, graph) -> Inputs:
        return super().inputs(graph) | {"dataset": [graph.dataset(self.on.split("/")[0])]}
