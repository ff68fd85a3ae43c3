"""Make a tokenizer: learned from a dataset's passages, or fetched from where a model comes from."""

from collections.abc import Iterator
from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.tokenizer import load_tokenizer, train_tokenizer
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, dataset: Path | None) -> None:
    def texts() -> Iterator[list[str]]:
        for batch in Dataset(dataset).batches("corpus", ["title", "text"]):
            yield batch["title"].to_pylist()
            yield batch["text"].to_pylist()

    tokenizer = (
        train_tokenizer(settings.family, texts, settings.vocabulary) if dataset else load_tokenizer(settings.source)
    )
    tokenizer.save_pretrained(artifact.path("."))
    artifact.facts |= {"vocabulary": len(tokenizer)}


if __name__ == "__main__":
    run(main)
