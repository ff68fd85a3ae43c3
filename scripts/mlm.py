"""Pre-train a BERT: masked language modelling."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.program import Settings, run
from dewpoint.training.recipes import mlm


def main(
    artifact: Artifact, settings: Settings, dataset: Path, tokens: Path, tokenizer: Path, parent: Path | None
) -> None:
    mlm.train(artifact, settings, dataset, tokens, tokenizer, parent)


if __name__ == "__main__":
    run(main)
