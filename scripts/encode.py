"""Encode one part of a dataset, or one shard of it, with one model."""

import logging
from pathlib import Path

import numpy as np

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.tokenizer import load_tokenizer, prefix_ids
from dewpoint.data.tokens import TokenStore, query_reading
from dewpoint.models.device import take_device
from dewpoint.models.folder import query_folder, read_encoder
from dewpoint.program import Settings, run
from dewpoint.search.encode import encode, ready, shard_bounds

log = logging.getLogger(__name__)


def main(artifact: Artifact, settings: Settings, tokens: Path, model: Path) -> None:
    record, queries = read_manifest(model), settings.part != "corpus"
    if not record["facts"].get("retrieves"):
        recipe = record["settings"]["recipe"]
        log.warning("warning: %s was never trained to retrieve, its recipe is %s", model.parent, recipe)
    store = TokenStore(tokens)
    folder = query_folder(model.parent) if queries else model.parent
    prefix = prefix_ids(load_tokenizer(folder), settings.prefix, settings.length) if settings.prefix else []
    if queries:
        split = settings.part.removeprefix("queries.")
        texts = store.queries(split, settings.length, prefix, **query_reading(settings))
    else:
        texts = store.passages(settings.length, prefix, settings.title)
    encoder = read_encoder(folder).to(take_device())
    encoder.check_fits(store.vocabulary, settings.length, settings.part)
    first, end = shard_bounds(len(texts), settings.shard, settings.shards)
    artifact.facts |= {
        "model": f"{model.parent.name} ({record['content'][:12]})",
        "dimension": encoder.dimension,
        "first": first,
        "rows": end - first,
        "of": len(texts),
    }
    rows = np.arange(first, end)
    encoder = ready(encoder, settings.precision)
    encode(encoder, texts, rows, store.special, artifact.beside(".parquet"), settings.vectors)


if __name__ == "__main__":
    run(main)
