"""Encode one part of a dataset, or one shard of it, with one model."""

import logging
from pathlib import Path

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.tokens import TokenStore
from dewpoint.models.backbone import pick_device, precision
from dewpoint.models.encoder import Encoder
from dewpoint.program import Settings, run
from dewpoint.search.encode import encode, shard_rows

log = logging.getLogger(__name__)


def main(artifact: Artifact, settings: Settings, tokens: Path, model: Path, shard: int, shards: int) -> None:
    recipe = read_manifest(model)["settings"]["recipe"]
    if recipe != "retriever":
        log.warning("warning: %s was never trained to retrieve, its recipe is %s", model.parent, recipe)
    store = TokenStore(tokens)
    segments = store.passages() if settings.part == "corpus" else [store.column(settings.part)]
    rows = shard_rows(len(segments[0]), shard, shards)
    encoder = Encoder(model.parent).to(pick_device())
    with precision(settings.precision, encoder.backbone):
        encode(encoder, segments, rows, settings.length, store, artifact.beside(".parquet"))


if __name__ == "__main__":
    run(main)
