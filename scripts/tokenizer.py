"""Make a tokenizer: learned from a dataset's passages, or fetched from where a model comes from."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.pretrained import revisions
from dewpoint.data.tokenizer import load_tokenizer, train_tokenizer
from dewpoint.program import Settings, run

ENOUGH, BATCH = 1_000_000, 1000  # of more passages, batches at even distances are taken


def main(artifact: Artifact, settings: Settings, dataset: Path | None) -> None:
    def texts() -> Iterator[list[str]]:
        data = Dataset(dataset)
        step = -(-data.rows("corpus") // ENOUGH)
        for batch in islice(data.batches("corpus", ["title", "text"], BATCH), 0, None, step):
            yield batch["title"].to_pylist()
            yield batch["text"].to_pylist()

    tokenizer = (
        train_tokenizer(settings.family, texts, settings.vocabulary) if dataset else load_tokenizer(settings.source)
    )
    tokenizer.save_pretrained(artifact.path("."))
    artifact.facts |= {"vocabulary": len(tokenizer)} | ({} if dataset else revisions(revision=settings.source))


if __name__ == "__main__":
    run(main)
