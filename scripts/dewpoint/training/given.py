"""What a training is handed besides its settings: artifacts that it reads, and how it goes about it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pace:
    """How much is held at once and how often it saves itself; neither changes a result."""

    chunk: int  # tokens; 0: as device and model suit
    checkpoint: int  # steps


@dataclass(frozen=True)
class Side:
    """What the encoder of one side, passages or queries, starts from and reads."""

    tokens: Path
    tokenizer: Path
    parent: Path | None  # none for a new or a fetched one


@dataclass(frozen=True)
class InBatchTeacher:
    """A retriever that scores each batch as it comes, and the tokens that it reads; none where there is no such one."""

    model: Path | None
    tokens: Path | None
    query_tokens: Path | None


@dataclass(frozen=True)
class Watched:
    """What a model is measured on while it is trained, where that is another dataset; none where nothing is."""

    dataset: Path | None
    tokens: Path | None
    query_tokens: Path | None
    runs: list[Path]


@dataclass(frozen=True)
class Text:
    """What pre-training starts from and reads."""

    dataset: Path
    tokens: Path
    tokenizer: Path
    parent: Path | None


@dataclass(frozen=True)
class Instances:
    """What training on queries and their passages reads: judgements, and what there is besides."""

    dataset: Path
    negatives: Path | None
    teacher: Path | None
    clusters: Path | None
