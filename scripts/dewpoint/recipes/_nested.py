"""What is trained so that the beginnings of its vectors are vectors, too (Kusupati et al., 2022)."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, model_validator

from dewpoint.recipes._retrieval import Projection, Sided
from dewpoint.study.bases import UNSAID, few_dimensions
from dewpoint.study.types import Count


class Nested(Sided):
    """The loss is the mean of the losses of its vectors' first dimensions, as many as each of `sizes` says."""

    sizes: Annotated[list[Count] | None, Field(min_length=1)] = Field(
        UNSAID["sizes"],
        description="dimensions, the first of each vector, that are trained to be vectors, too: [768, 256, 64], where "
        "the first is all; left out: all alone",
    )

    def cited(self) -> tuple[str, ...]:
        return super().cited() + (("kusupati2022matryoshka",) if self.sizes else ())

    @model_validator(mode="after")
    def ever_fewer(self):
        sizes = self.sizes or []
        if any(one <= other for one, other in pairwise(sizes)):
            raise ValueError(f"sizes: {sizes} do not fall; write the whole vectors' first: [768, 256, 64]")
        return self

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.sizes and self.projection and self.projection.size not in (0, self.sizes[0]):
            yield "sizes", f"the first is {self.sizes[0]}, but the projection's size {self.projection.size}"

    def small(self) -> dict[str, Any]:
        """Vectors are then as long as the first size says, whatever they start from."""
        if not self.sizes:
            return super().small()
        few = sorted({few_dimensions(size) for size in self.sizes}, reverse=True)
        norm = self.projection is not None and self.projection.norm
        return super().small() | {"sizes": few, "projection": Projection(size=few[0], norm=norm)}
