"""Encoders of today are trained as BERT is: ModernBERT, and decoders whose vector is that of a text's last token."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoConfig, AutoModelForMaskedLM

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore, write_tokens
from dewpoint.errors import UserError
from dewpoint.models.folder import read_encoder, read_retriever
from dewpoint.models.vocabulary import word_loss
from dewpoint.search.encode import QuestionEncoder, encode_window
from dewpoint.training import loop
from models.families import make
from training.conftest import SIDES
from training.test_loop import same

FAMILIES = ["modernbert", "qwen", "mistral"]
LONG = 600  # tokens


@pytest.fixture(scope="session")
def fetched(world, tmp_path_factory):
    """By family: a tiny model that drops, as a folder, and what is made of the world's texts by its tokenizer."""
    texts = Dataset(world.dataset).column("corpus", "text").to_pylist()

    def get(family):
        folder = tmp_path_factory.mktemp("fetched") / family
        make(family, folder, texts)
        config = AutoConfig.from_pretrained(folder)
        config.max_position_embeddings = LONG
        config.save_pretrained(folder)
        tokenizer = Artifact(folder.parent / "tokenizer" / "manifest.json")
        load_tokenizer(folder).save_pretrained(tokenizer.path("."))
        tokenizer.seal()
        tokens = Artifact(folder.parent / "tokens" / "manifest.json")
        write_tokens(Dataset(world.dataset), load_tokenizer(tokenizer.folder), tokens)
        tokens.seal()
        return str(folder), {"tokens": tokens.manifest, "tokenizer": tokenizer.manifest}

    made = {}
    return lambda family: made[family] if family in made else made.setdefault(family, get(family))


@pytest.fixture
def train(trained, fetched):
    """Trains a retriever from a family's folder."""

    def run(family, name, **changed):
        source, files = fetched(family)
        sides = {f"{side}_{what}": path for side in SIDES for what, path in files.items()}
        return trained("retriever", f"{family}-{name}", files=sides, source=source, **changed)

    return run


@pytest.mark.parametrize("family", FAMILIES)
def test_a_retriever_learns_and_is_the_same_elsewhere(train, fetched, world, family):
    """In sentence-transformers, in the encoding of a corpus, and for typed questions; then trained on."""
    made = train(family, "learns", epochs=20, learning_rate=3e-3)
    losses = [json.loads(line)["contrast"] for line in (made.parent / "metrics.jsonl").open()]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    facts, pooling = read_manifest(made)["facts"], "cls" if family == "modernbert" else "last"
    assert facts["pooling"] == pooling == read_encoder(made.parent).pooling

    texts = [*Dataset(world.dataset).column("queries.train", "text").to_pylist(), "dew " * 700]
    ours = QuestionEncoder(made.parent, 24)(texts)
    theirs = SentenceTransformer(str(made.parent), device="cpu")
    np.testing.assert_allclose(theirs.encode(texts), ours, atol=1e-5)
    theirs.tokenizer.padding_side = "left"
    np.testing.assert_allclose(theirs.encode(texts), ours, atol=1e-5)
    np.testing.assert_allclose(
        np.concatenate([QuestionEncoder(made.parent, 24)([text]) for text in texts]), ours, atol=1e-5
    )
    store = TokenStore(fetched(family)[1]["tokens"])
    stored = encode_window(read_encoder(made.parent).eval(), store.queries("train", 24)[np.arange(20)], store.special)
    np.testing.assert_allclose(stored, ours[:20], atol=2e-3)
    assert np.abs(ours[0] - ours[1]).max() > 1e-2

    long, theirs.max_seq_length = ["dew point " + "of warm air " * 300, "cold " * 550 + "glass"], LONG
    np.testing.assert_allclose(theirs.encode(long), QuestionEncoder(made.parent, LONG)(long), atol=1e-5)


def test_what_is_trained_on_pools_as_before(trained, train, fetched):
    """From a model of the study, and from its folder; at a rate of next to nothing the weights stay, too."""
    first, files = train("qwen", "first", epochs=1), fetched("qwen")[1]
    sides = {f"{side}_{what}": path for side in SIDES for what, path in files.items()}
    still = {"files": sides, "learning_rate": 1e-12, "epochs": 1}
    for made in (
        trained("retriever", "qwen-second", parent=first, **still),
        trained("retriever", "qwen-again", source=str(first.parent), **still),
    ):
        assert read_manifest(made)["facts"]["pooling"] == "last"
        one, other = (load_file(path.with_name("model.safetensors")) for path in (first, made))
        assert one.keys() == other.keys()
        for name, weights in one.items():
            torch.testing.assert_close(other[name], weights, rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_interrupted_equals_straight(train, world, monkeypatch, family):
    straight, steps, clip = train(family, "straight"), 0, loop.nn.utils.clip_grad_norm_

    def interrupt(*args):
        nonlocal steps
        steps += 1
        if steps == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return clip(*args)

    monkeypatch.setattr(loop.nn.utils, "clip_grad_norm_", interrupt)
    with pytest.raises(UserError, match="stopped at step 2 of"):
        train(family, "resumed")
    assert same(straight, train(family, "resumed"))


@pytest.mark.parametrize("family", FAMILIES)
def test_chunks_change_nothing(train, family):
    """Whole batches and chunks of a few texts; dropout on."""
    whole, chunked = (train(family, f"chunk-{chunk}", chunk=chunk, epochs=1) for chunk in (8192, 40))
    one, other = (load_file(made.with_name("model.safetensors")) for made in (whole, chunked))
    for name, weights in one.items():
        torch.testing.assert_close(other[name], weights, rtol=1e-3, atol=1e-5)


def test_modernbert_is_pre_trained_further(trained, fetched):
    """By `mlm`; its words are predicted as the library does. Condenser can make no head of its layers."""
    source, files = fetched("modernbert")
    made = trained("mlm", "modern-mlm", files=files, source=source, steps=60, learning_rate=3e-3)
    losses = [json.loads(line)["mlm"] for line in (made.parent / "metrics.jsonl").open()]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    model = AutoModelForMaskedLM.from_pretrained(made.parent).eval()
    ids = torch.randint(5, 60, (3, 9))
    with torch.no_grad():
        hidden = model.model(ids).last_hidden_state.flatten(0, 1)
        expected = torch.nn.functional.cross_entropy(model(ids).logits.flatten(0, 1), ids.flatten(), reduction="none")
        torch.testing.assert_close(word_loss(model, hidden, ids.flatten(), 1.0)[1], expected, rtol=1e-4, atol=1e-5)
        model.decoder.bias = None
        expected = torch.nn.functional.cross_entropy(model(ids).logits.flatten(0, 1), ids.flatten(), reduction="none")
        torch.testing.assert_close(word_loss(model, hidden, ids.flatten(), 1.0)[1], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(
        UserError, match=r"^models of class 'modernbert' have layers of which no head can be made; recipe: mlm"
    ):
        trained("condenser", "modern-condenser", files=files, source=source)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("qwen", "models of class 'qwen3' are not trained on masked words; take one that is, as BERT$"),
        ("t5", "models of class 't5' are not trained on masked words"),
        ("distilbert", "^models of class 'distilbert' have a head of words that is not known here; BERT's, RoBERTa's"),
    ],
)
def test_what_predicts_no_words_is_refused(trained, tmp_path, family, message):
    with pytest.raises(UserError, match=message):
        trained("mlm", f"no-words-{family}", source=str(make(family, tmp_path / family)))


def test_a_first_token_that_sees_no_other_is_refused(train):
    with pytest.raises(UserError, match=r"^models of class 'qwen3' read from left to right, .*; pooling: last$"):
        train("qwen", "cls", pooling="cls")


def test_a_decoder_makes_no_cross_encoder(trained, fetched):
    source, files = fetched("qwen")
    with pytest.raises(UserError, match=r"models of class 'qwen3' read from left to right; take an encoder$"):
        trained("crossencoder", "causal", files=files, source=source, loss={"name": "binary"})


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_have_the_positions_that_a_model_was_made_for(train, family):
    with pytest.raises(UserError, match=f"passages: length {LONG + 1}, but the model has {LONG} positions"):
        train(family, "too-long", passage_length=LONG + 1)


def test_positions_are_told_apart_in_bfloat16(fetched):
    """Their frequencies stay in float32: at 300 tokens one in bfloat16 would be off by more than a whole turn."""
    from dewpoint.models.device import halve

    encoder = read_retriever(fetched("modernbert")[0]).passages.eval()
    before = {name: value.clone() for name, value in encoder.named_buffers()}
    halve(encoder.backbone)
    assert before and all(torch.equal(value, before[name]) for name, value in encoder.named_buffers())
    assert {value.dtype for value in encoder.parameters()} == {torch.bfloat16}
