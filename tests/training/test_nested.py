"""Vectors whose beginnings are vectors, too: the loss is the mean of plain ones, search takes what training made."""

import copy
import json

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from benchmarks import plain
from dewpoint.artifact import read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.tokens import TokenStore, assemble
from dewpoint.errors import UserError
from dewpoint.models.folder import read_encoder
from dewpoint.recipes.pairs import Pairs
from dewpoint.recipes.retriever import Retriever
from dewpoint.search.beginnings import Beginnings, shortened
from dewpoint.search.encode import encode_window
from dewpoint.training import nested
from dewpoint.training.chunks import Room
from dewpoint.training.ranking import Rows
from dewpoint.training.sides import Sides
from programs import call
from stored import store as store_vectors
from training import test_ranking_exact as exact
from training.test_exact import assert_close, gradients

SPECIAL = exact.SPECIAL
WAYS = {
    "tied": ([16, 5, 1], {}),
    "normalized": ([16, 8, 4], {"pooling": "mean", "normalize": True, "temperature": 0.1}),
    "mixed, with norm": (
        [6, 3],
        {"untied": True, "narrow": True, "projection": exact.SimpleNamespace(size=6, norm=True)},
    ),
    "one size": ([16], {}),
}


def settings(sizes: list[int], **way):
    wanted = exact.settings(**way)
    wanted.sizes = sizes
    return wanted


def run(model, sizes: list[int], room: Room, way: dict, step: int = 0):
    model.zero_grad(set_to_none=True)
    wanted = settings(sizes, **way)
    made = Rows(exact.stream(wanted), Sides(SPECIAL, SPECIAL, False), room, seed=3).batch(step)
    return exact.objective(model, wanted)(made)["contrast"], gradients(model), made


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("step", [0, 1], ids=["whole batch", "last, short batch"])
def test_the_loss_is_the_mean_of_the_losses_at_each_size(name, step):
    """And the gradient is theirs, each computed plainly, a text at a time."""
    sizes, way = WAYS[name]
    model = exact.retriever(rate=0, **way)
    stock = copy.deepcopy(model)
    for encoder in stock.encoders:
        encoder.backbone.set_attn_implementation("eager")
    wanted = settings(sizes, **way)
    made = exact.stream(wanted).batch(step)
    sides = []
    for encoder, rows in ((stock.queries, made.queries), (stock.passages, made.passages)):
        ids = [torch.from_numpy(row[row != SPECIAL["pad"]]) for row in assemble(rows, SPECIAL)]
        sides.append([plain.vector(encoder.backbone, one, wanted.pooling, encoder.projection) for one in ids])
    masked = made.known["masked"]
    targets = made.known["targets"].tolist()
    others = [[at for at in np.flatnonzero(~masked[row]) if at != targets[row]] for row in range(len(targets))]
    losses = []
    for size in sizes:
        cut = [[vector[:size] for vector in side] for side in sides]
        if wanted.normalize:
            cut = [[vector / vector.norm() for vector in side] for side in cut]
        losses.append(plain.ranking(*cut, targets, others, wanted.loss.temperature))
    expected = torch.stack(losses).mean()
    expected.backward()
    loss, got, _ = run(model, sizes, exact.HELD, way, step)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert_close(got, gradients(stock), exact.TOLERANCE)


@pytest.mark.parametrize("name", WAYS)
def test_cached_equals_uncached_dropout_on(name):
    sizes, way = WAYS[name]
    model = exact.retriever(**way)
    loss, whole, made = run(model, sizes, exact.HELD, way)
    cached_loss, cached, cut = run(model, sizes, Room(20, 0), way)
    assert made.once and not cut.once and len(cut.chunks) > len(made.chunks)
    assert cached_loss == pytest.approx(loss, rel=1e-5)
    assert_close(cached, whole, exact.TOLERANCE)


def test_one_size_is_no_other_training_than_none():
    """To the last bit."""
    model = exact.retriever()
    one, gradient, _ = run(model, [16], exact.HELD, {})
    none, before, _ = exact.run(model, exact.HELD, {})
    assert one == none and all(torch.equal(gradient[name], before[name]) for name in before)


def test_a_first_size_that_is_not_the_vectors():
    with pytest.raises(UserError, match=r"^sizes: the first is 8, but vectors have 16 dimensions; write that$"):
        exact.objective(exact.retriever(), settings([8, 4]))


# --- from training to search --------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(trained, bert):
    changed = {"pooling": "mean", "normalize": True, "loss": {"name": "contrast", "temperature": 0.1}}
    return trained("retriever", "nested", bert, sizes=[16, 8, 4], epochs=20, learning_rate=3e-3, **changed)


@pytest.fixture(scope="module")
def vectors(model, world) -> np.ndarray:
    encoder, store = read_encoder(model.parent).eval(), TokenStore(world.tokens)
    return encode_window(encoder, store.passages(24)[np.arange(40)], store.special, "float32")


def test_search_takes_the_vectors_that_training_made(vectors, tmp_path):
    """Of any size, from what is stored; in blocks, too."""
    parts = nested.beginnings(torch.from_numpy(vectors), [16, 8, 4], True)
    whole = store_vectors(tmp_path, "corpus", vectors, [13])
    for size, part in zip([16, 8, 4], parts, strict=True):
        np.testing.assert_allclose(shortened(vectors, size, True), part, atol=2e-7)
        blocks = [block.copy() for _, block in Beginnings(whole, size, True).blocks(7)]
        np.testing.assert_array_equal(np.concatenate(blocks), shortened(vectors, size, True))
    np.testing.assert_array_equal(shortened(vectors, 4, False), vectors[:, :4])


def test_the_folder_says_its_sizes_and_others_can_use_them(model, vectors, world):
    from sentence_transformers import SentenceTransformer

    said = json.loads((model.parent / "config_sentence_transformers.json").read_text())
    assert said["matryoshka_dimensions"] == read_manifest(model)["facts"]["sizes"] == [16, 8, 4]
    assert (
        said["similarity_fn_name"] == "dot" and "| sizes | `[16, 8, 4]` |" in (model.parent / "README.md").read_text()
    )
    theirs = SentenceTransformer(str(model.parent), device="cpu", truncate_dim=8)
    texts = Dataset(world.dataset).column("queries.train", "text").to_pylist()
    encoder, store = read_encoder(model.parent).eval(), TokenStore(world.tokens)
    ours = encode_window(encoder, store.queries("train", 24)[np.arange(20)], store.special, "float32")
    np.testing.assert_allclose(
        theirs.encode(texts, normalize_embeddings=True), normalize(torch.from_numpy(ours[:, :8]), dim=-1), atol=1e-5
    )


def test_a_model_without_sizes_says_nothing_of_them(trained, bert):
    plain_model = trained("retriever", "not-nested", bert)
    assert "matryoshka" not in (plain_model.parent / "config_sentence_transformers.json").read_text()
    assert "sizes" not in read_manifest(plain_model)["facts"]


def test_all_sizes_learn(model):
    values = [json.loads(line)["contrast"] for line in (model.parent / "metrics.jsonl").open()]
    assert np.mean(values[-4:]) < 0.9 * np.mean(values[:4])


def test_pairs_are_trained_at_all_sizes_too(trained, bert):
    made = trained("pairs", "nested-pairs", bert, steps=2, sizes=[16, 4])
    assert read_manifest(made)["facts"]["sizes"] == [16, 4]


# --- what a study may say -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sizes": [64, 256]}, r"sizes: \[64, 256\] do not fall; write the whole vectors' first"),
        ({"sizes": [64, 64]}, "do not fall"),
        ({"sizes": []}, "at least 1 item"),
        ({"sizes": [64, 0]}, "greater than or equal to 1"),
    ],
)
@pytest.mark.parametrize("kind", [Retriever, Pairs])
def test_sizes_that_cannot_be(kind, keys, message):
    entry = {"recipe": kind.tag(), "from": "hub:a/b", "data": "d"}
    with pytest.raises(ValueError, match=message):
        kind.model_validate(entry | keys)


def test_a_rehearsal_has_few_dimensions_and_as_many_sizes_as_differ():
    entry = {"recipe": "retriever", "from": "hub:a/b", "data": "d", "sizes": [768, 256, 64, 4]}
    small = Retriever.model_validate(entry).rehearsed()
    assert small.sizes == [16, 8, 4] and (small.projection.size, small.projection.norm) == (16, False)
    given = Retriever.model_validate(entry | {"projection": {"size": 768, "norm": True}}).rehearsed()
    assert (given.projection.size, given.projection.norm) == (16, True)


def test_a_search_of_first_dimensions_is_of_what_the_programs_made(model, world, tmp_path):
    """From tokens to a run: nothing is encoded anew, and the index knows that vectors have length one."""
    how = {"length": 24, "prefix": "", "precision": "float32", "vectors": "float32", "shard": 0, "shards": 1}
    passages, queries = (
        call("encode", tmp_path / f"{part}-0of1.json", how | {"part": part} | title, tokens=world.tokens, model=model)
        for part, title in (("corpus", {"title": "pair"}), ("queries.train", {}))
    )
    settings = {"index": {"name": "flat"}, "size": 4}
    index = call("rankers.dense pack", tmp_path / "i/manifest.json", settings, corpus=[passages], model=model)
    assert read_manifest(index)["facts"] | {"size": 4, "normalized": True} == read_manifest(index)["facts"]
    run = call("rankers.dense scan", tmp_path / "r/d.train.json", {"depth": 5}, queries=queries, index=index)
    assert read_manifest(run)["facts"] == {"rows": 100, "queries": 20}
