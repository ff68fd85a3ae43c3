"""Encoding: a vector does not depend on what its text is encoded with, or where it lies."""

import logging

import numpy as np
import pytest
import torch

from dewpoint.artifact import read_manifest
from dewpoint.data.tokens import TokenStore
from dewpoint.errors import UserError
from dewpoint.models.folder import read_encoder
from dewpoint.search import encode as module
from dewpoint.search.encode import encode_window, ready
from dewpoint.search.vectors import Vectors
from programs import call

SETTINGS = {"part": "corpus", "length": 24, "prefix": "", "title": "pair", "precision": "float32", "vectors": "float16"}


@pytest.fixture(scope="module")
def model(trained, bert):
    return trained("retriever", "retriever", bert)


def shards(world, model, folder, count=1, **settings) -> Vectors:
    made = []
    for shard in range(count):
        output = folder / f"{count}-{'-'.join(map(str, settings.values()))}" / f"corpus-{shard}of{count}.json"
        part = {"shard": shard, "shards": count}
        made.append(call("encode", output, SETTINGS | part | settings, tokens=world.tokens, model=model))
    return Vectors(made)


def one_by_one(world, model, rows=range(40)) -> np.ndarray:
    encoder, store = read_encoder(model.parent).eval(), TokenStore(world.tokens)
    texts = store.passages(24)
    return np.concatenate([encode_window(encoder, texts[np.array([row])], store.special, "float32") for row in rows])


@pytest.mark.parametrize("count", [1, 3, 45])
@pytest.mark.parametrize(("tokens", "window"), [(16_384, 65_536), (50, 7)])
def test_vectors_do_not_depend_on_shards_windows_or_batches(world, model, tmp_path, monkeypatch, count, tokens, window):
    """They are those of each text alone, in the corpus's order."""
    monkeypatch.setattr(module, "BATCH_TOKENS", {"cpu": tokens})
    monkeypatch.setattr(module, "WINDOW", window)
    vectors = shards(world, model, tmp_path, count)
    assert len(vectors) == 40
    np.testing.assert_allclose(vectors.all(), one_by_one(world, model), atol=1e-3, rtol=1e-3)


def test_vectors_do_not_depend_on_the_order(world, model):
    encoder, store = read_encoder(model.parent).eval(), TokenStore(world.tokens)
    rows = np.random.default_rng(0).permutation(40)
    found = encode_window(encoder, store.passages(24)[rows], store.special)
    np.testing.assert_allclose(found, one_by_one(world, model, rows), atol=1e-3, rtol=1e-3)


def test_float32_keeps_more_digits(world, model, tmp_path):
    found = shards(world, model, tmp_path, vectors="float32").all()
    np.testing.assert_allclose(found, one_by_one(world, model), atol=1e-6)
    assert np.abs(found - found.astype(np.float16)).max() > 1e-5


def test_bfloat16_is_near(world, model, tmp_path):
    found, expected = shards(world, model, tmp_path, precision="bfloat16").all(), one_by_one(world, model)
    cosine = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert 0.999 < cosine.min() < 0.9999999


def test_the_manifest_names_the_model_by_its_content(world, model, tmp_path):
    vectors = shards(world, model, tmp_path, 3)
    assert vectors.model == f"retriever ({read_manifest(model)['content'][:12]})"
    facts = [read_manifest(manifest)["facts"] for manifest in vectors.manifests]
    assert [(fact["first"], fact["rows"], fact["of"]) for fact in facts] == [(0, 13, 40), (13, 13, 40), (26, 14, 40)]


@pytest.fixture
def small_gpu():
    """An encoder for which so many tokens at once are too many, as a GPU says it; how often it was asked."""

    def give(model, most: int):
        encoder, asked = ready(read_encoder(model.parent), "float32"), []
        forward = encoder.forward

        def short(ids, mask):
            asked.append(ids.numel())
            if ids.numel() > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(ids, mask)

        encoder.forward, encoder._on_cores = short, encoder._on_gpu
        return encoder, asked

    return give


def test_less_is_tried_when_memory_ends_and_it_is_said_once(world, model, small_gpu, caplog):
    store = TokenStore(world.tokens)
    encoder, asked = small_gpu(model, 60)
    with caplog.at_level(logging.WARNING):
        found = encode_window(encoder, store.passages(24)[np.arange(40)], store.special)
        refused = [tokens for tokens in asked if tokens > 60]
        again = encode_window(encoder, store.passages(24)[np.arange(40)], store.special)
    np.testing.assert_allclose(found, one_by_one(world, model), atol=1e-3, rtol=1e-3)
    assert found.tobytes() == again.tobytes()
    assert len(refused) >= 2 and [tokens for tokens in asked if tokens > 60] == refused  # not tried again
    assert [record.getMessage().split(" tokens ")[1] for record in caplog.records] == [
        "at once do not fit into the GPU's memory; going on with less"
    ]


def test_a_text_that_does_not_fit_at_all(world, model, small_gpu):
    store = TokenStore(world.tokens)
    encoder, _ = small_gpu(model, 10)
    with pytest.raises(UserError, match=r"^one text of \d+ tokens does not fit into the GPU's memory$"):
        encode_window(encoder, store.passages(24)[np.arange(40)], store.special)
