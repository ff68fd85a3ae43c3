"""Tokenise a dataset's passages and queries once, for all models that share the tokenizer."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import write_tokens
from dewpoint.program import run


def main(artifact: Artifact, dataset: Path, tokenizer: Path) -> None:
    write_tokens(Dataset(dataset), load_tokenizer(tokenizer.parent), artifact)


if __name__ == "__main__":
    run(main)
