"""What rankers share that say how alike the texts of examples are."""

from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from dewpoint.study.bases import Ranker
from dewpoint.study.kind import For

How = Annotated[Literal["cosine", "dot", "euclidean", "manhattan"], For("rank")]
HOW = "of two vectors; of euclidean and manhattan the distance's negative"


class Alike(Ranker):
    """A ranker whose queries are examples, and its passages the pairs of their texts."""

    of_examples: ClassVar[bool] = True

    @model_validator(mode="after")
    def all_are_kept(self):
        if self.depth != type(self).model_fields["depth"].default:
            raise ValueError("depth: an example has few pairs of texts, and all are kept; leave it out")
        return self
