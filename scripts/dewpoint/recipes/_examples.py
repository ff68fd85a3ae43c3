"""What the declarations of encoders that are trained on examples of texts share."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.recipes._retrieval import few
from dewpoint.study.bases import PUBLISHED, Trained
from dewpoint.study.kind import For
from dewpoint.study.sizes import EACH
from dewpoint.study.types import Count, Name, Row


class OnExamples(Trained):
    """One encoder for all texts of an example; they are read as passages are, without titles."""

    reads: ClassVar[tuple[str, ...]] = ("work", "texts")
    ranker: ClassVar[str | None] = "similarity"
    of_examples: ClassVar[bool] = True
    examples: ClassVar[str]  # that it is trained on
    similarity: ClassVar[str]  # of vectors, that it is trained for

    published: Annotated[Row | None, For()] = PUBLISHED
    pooling: Literal["cls", "mean"] | None = Field(None, description="left out: as `from` does, the CLS otherwise")
    normalize: bool | None = Field(None, description="vectors of length one; left out: as `from` does, no otherwise")
    split: Name = Field("train", description="whose examples are trained on")
    train_examples: Count | Literal["all"] = Field("all", description="drawn at random; fewer are a part of more")
    batch_size: Count = Field(16, description="examples")
    learning_rate: float = Field(2e-5, gt=0, description="the highest, after warm-up")

    @property
    def ranked(self) -> dict[str, Any]:
        return {"similarity": self.similarity}

    def work_settings(self, config) -> dict[str, Any]:
        examples = None if self.train_examples == "all" else self.train_examples
        return super().work_settings(config) | {"train_examples": examples}

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if self.from_ == "scratch":
            yield "from", "an encoder of sentences starts from another model, not from scratch"
        parent = study.models.get(self.from_)
        if parent and (parent.encoders > 1 or parent.several or parent.pairs):
            yield "from", f"'{self.from_}' is not one encoder with a vector a text, which all texts are read by"
        if wrong := study.lacks_examples(self.data, self.split, self.examples):
            yield "split", wrong
        yield from study.too_long(self, {"passage_length": self.passage_length})
        yield from study.too_long(self, {"query_length": self.query_length})

    def small(self) -> dict[str, Any]:
        return super().small() | {"train_examples": few(self.train_examples), "epochs": 1}

    def operations(self, sizes, name: str) -> float:
        examples = sizes.examples(self.data, self.split) if self.train_examples == "all" else self.train_examples
        text = sizes.forward(name, sizes.passage_tokens(self.data, self.passage_length))
        return 3 * EACH[self.examples] * text * examples * self.epochs
