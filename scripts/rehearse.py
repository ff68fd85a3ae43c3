"""Write a dataset's tiny files for a rehearsal, in the formats of the real ones."""

from importlib import import_module

from dewpoint.artifact import Artifact
from dewpoint.data.sources import (  # noqa: F401  the fingerprint follows imports
    beir,
    dpr,
    msmarco_document,
    msmarco_passage,
    table,
    tevatron,
    text,
    wikipedia,
)
from dewpoint.data.sources.tiny import Words
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings) -> None:
    options = vars(settings)
    source = import_module(f"dewpoint.data.sources.{options.pop('source').replace('-', '_')}")
    source.rehearse(artifact.path("."), Words(options.pop("seed")), **options)


if __name__ == "__main__":
    run(main)
