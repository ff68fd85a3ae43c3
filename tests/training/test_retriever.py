"""The retriever: its loss is the papers', and its folder loads in other libraries with the same vectors."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives
from dewpoint.data.streams import RetrieverBatches
from dewpoint.data.tokens import TokenStore, assemble
from dewpoint.models.encoder import Encoder
from dewpoint.search.encode import QuestionEncoder, encode_window
from training.conftest import settings


@pytest.fixture(scope="session")
def retriever(trained, bert):
    return trained("retriever", "retriever", bert)


def test_first_loss_is_the_papers(trained, world, bert):
    """-log( exp s(q,p+) / Σ exp s(q,p) ) over all passages of the batch, texts one at a time."""
    root = trained("mlm", "without-dropout", architecture=settings()["architecture"] | {"dropout": 0.0})
    one_step = trained("retriever", "one-step", root, epochs=1, batch_size=20)
    logged = json.loads((one_step.parent / "metrics.jsonl").read_text().splitlines()[0])["ranking"]
    store, dataset = TokenStore(world.tokens), Dataset(world.dataset)
    options = SimpleNamespace(batch_size=20, negatives_per_query=2, query_length=12, passage_length=24)
    stream = RetrieverBatches(
        store.queries("train"),
        store.passages(),
        dataset.positives("train"),
        read_negatives(world.negatives),
        options,
        seed=3,
    )
    batch = stream.batch(0)
    model = Encoder(root.parent)

    def vectors(texts):
        ids = assemble(texts, store.special)
        return torch.cat([model(*model.inputs(row[row != 0][None], 0)) for row in ids])

    scores = vectors(batch.queries) @ vectors(batch.passages).T
    scores[torch.from_numpy(batch.masked)] = -torch.inf
    expected = -torch.log_softmax(scores, 1)[np.arange(20), batch.targets].mean()
    assert logged == pytest.approx(expected.item(), rel=1e-5)


def test_training_lowers_the_loss(trained, bert):
    manifest = trained("retriever", "longer", bert, epochs=25, learning_rate=3e-3)
    values = [json.loads(line)["ranking"] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-4:]) < 0.8 * np.mean(values[:4])


def test_vectors_do_not_depend_on_batches(retriever, world, monkeypatch):
    from dewpoint.search import encode

    model, store = Encoder(retriever.parent).eval(), TokenStore(world.tokens)
    rows = np.arange(40)
    whole = encode_window(model, store.passages(), rows, 24, store)
    monkeypatch.setattr(encode, "BATCH_TOKENS", 50)
    np.testing.assert_allclose(encode_window(model, store.passages(), rows, 24, store), whole, atol=2e-3)
    shuffled = np.random.default_rng(0).permutation(rows)
    np.testing.assert_allclose(encode_window(model, store.passages(), shuffled, 24, store), whole[shuffled], atol=2e-3)


def test_a_typed_question_gets_the_stored_querys_vector(retriever, world):
    model, store = Encoder(retriever.parent).eval(), TokenStore(world.tokens)
    stored = encode_window(model, store.queries("train"), np.arange(20), 12, store)
    ask = QuestionEncoder(retriever.parent, 12)
    for row, text in enumerate(Dataset(world.dataset).column("queries.train", "text").to_pylist()):
        np.testing.assert_allclose(ask(text)[0], stored[row], atol=2e-3)


def test_folder_loads_in_other_libraries_with_the_same_vectors(retriever, world):
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel

    texts = Dataset(world.dataset).column("queries.train", "text").to_pylist()
    ask = QuestionEncoder(retriever.parent, 24)
    expected = np.concatenate([ask(text) for text in texts])
    theirs = SentenceTransformer(str(retriever.parent), device="cpu")
    np.testing.assert_allclose(theirs.encode(texts), expected, atol=1e-5)
    assert theirs.similarity_fn_name == "dot"
    plain = AutoModel.from_pretrained(retriever.parent).eval()
    ids = theirs.tokenizer(texts[0], return_tensors="pt")["input_ids"]
    np.testing.assert_allclose(plain(ids).last_hidden_state[0, 0].detach(), expected[0], atol=1e-5)
