"""Prepare a dataset: passages, queries and judgements of a source, as Parquet."""

from importlib import import_module
from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import DatasetWriter
from dewpoint.data.sources import beir, pydocs, table, text  # noqa: F401  the fingerprint follows imports
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, study: str, files: list[Path]) -> None:
    options = vars(settings)
    source = import_module(f"dewpoint.data.sources.{options.pop('source')}")
    writer = DatasetWriter(artifact)
    source.write(writer, **options)
    writer.finish()
    artifact.facts |= {"study": study}


if __name__ == "__main__":
    run(main)
