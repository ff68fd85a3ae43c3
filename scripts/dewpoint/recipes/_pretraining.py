"""What the declarations of all pre-training share."""

from collections.abc import Iterator
from math import gcd
from typing import Any, Literal

from pydantic import Field, model_validator

from dewpoint.study.bases import Trained
from dewpoint.study.kind import Strict
from dewpoint.study.types import Amount, Count, Share


class Architecture(Strict):
    """The shape of a new BERT or RoBERTa and of its tokenizer."""

    family: Literal["bert", "roberta"] = Field(
        "bert", description="bert: WordPiece, lower-cased; roberta: byte-level BPE, case kept"
    )
    layers: Count = Field(12, description="transformer layers")
    hidden: Count = Field(768, description="units of a token's hidden state")
    heads: Count | None = Field(None, description="one for each 64 of hidden when left out")
    intermediate: Count | None = Field(None, description="four times hidden when left out")
    positions: Count = Field(512, description="tokens of the longest text")
    dropout: Share = Field(0.1, lt=1, description="of hidden states and of attention")
    vocabulary: Count = Field(30_522, ge=64, description="size of the vocabulary learned from the model's data")

    @model_validator(mode="after")
    def heads_share_hidden(self):
        if self.hidden % self.all_heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.all_heads}")
        return self

    @property
    def all_heads(self) -> int:
        return self.heads or max(1, self.hidden // 64)

    def small(self) -> "Architecture":
        """Of a rehearsal; the heads divide the hidden units still."""
        most = {"layers": 2, "hidden": 32, "vocabulary": 1000}
        few = {name: min(getattr(self, name), value) for name, value in most.items()}
        intermediate = min(self.intermediate or 4 * self.hidden, 64)
        return self.model_copy(update=few | {"heads": gcd(self.all_heads, 2), "intermediate": intermediate})


class Pretraining(Trained):
    steps: Count = Field(10_000, description="batches trained on")
    length: Count = Field(128, ge=8, description="tokens of a training text, special ones included")
    batch_size: Count = Field(256, description="texts")
    learning_rate: float = Field(1e-4, gt=0, description="the highest, after warm-up")
    architecture: Architecture | None = Field(None, description="with from: scratch")
    held_out: Share = Field(0.01, lt=1, description="share of the documents that is not trained on but measured on")
    measurements: Amount = Field(10, description="how often it is measured, evenly spread over the steps")

    def check(self, study) -> Iterator[tuple[str, str]]:
        yield from super().check(study)
        if (self.from_ == "scratch") != (self.architecture is not None):
            yield "architecture", "goes with from: scratch, and only with it"
        yield from study.too_long(self, {"length": self.length})

    def small(self) -> dict[str, Any]:
        return super().small() | {
            "steps": min(self.steps, 2),
            "length": min(self.length, 32),
            "measurements": min(self.measurements, 1),
            "architecture": self.architecture and self.architecture.small(),
        }

    def operations(self, sizes, name: str) -> float:
        return self.steps * self.batch_size * 3 * sizes.forward(name, self.length)
