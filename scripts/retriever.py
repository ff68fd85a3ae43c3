"""Train a retriever: queries against their positives and negatives."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.program import Settings, run
from dewpoint.training.recipes import retriever


def main(
    artifact: Artifact,
    settings: Settings,
    dataset: Path,
    tokens: Path,
    tokenizer: Path,
    negatives: Path,
    parent: Path | None,
) -> None:
    retriever.train(artifact, settings, dataset, tokens, tokenizer, negatives, parent)


if __name__ == "__main__":
    run(main)
