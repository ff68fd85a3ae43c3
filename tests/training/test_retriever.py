"""The retriever: its loss is the papers', and its folder loads in other libraries with the same vectors."""

import json
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dewpoint.batches import random
from dewpoint.data.dataset import Dataset
from dewpoint.data.instances import RetrieverBatches, pick_queries
from dewpoint.data.negatives import read_negatives
from dewpoint.data.tokens import Texts, TokenStore, assemble, ragged
from dewpoint.models.folder import read_encoder
from dewpoint.search.encode import QuestionEncoder, encode_window
from training.conftest import settings


@pytest.fixture(scope="session")
def retriever(trained, bert):
    return trained("retriever", "retriever", bert)


@pytest.mark.parametrize("cut", [{}, {"query_cut": "left"}], ids=["cut from the right", "cut from the left"])
def test_first_loss_is_the_papers(trained, world, bert, cut):
    """-log( exp s(q,p+) / Σ exp s(q,p) ) over all passages of the batch, one text at a time; queries of 3 tokens."""
    name = "".join(cut.values()) or "right"
    root = trained("mlm", f"without-dropout-{name}", architecture=settings()["architecture"] | {"dropout": 0.0})
    one_step = trained("retriever", f"one-step-{name}", root, epochs=1, batch_size=20, train_query_length=5, **cut)
    logged = json.loads((one_step.parent / "metrics.jsonl").read_text().splitlines()[0])["contrast"]
    store, dataset = TokenStore(world.tokens), Dataset(world.dataset)
    options = SimpleNamespace(**settings(batch_size=20, seed=3))
    judged = dataset.positives("train")
    queries = store.column("queries.train")
    kept = [queries.values[first:end] for first, end in pairwise(queries.offsets.tolist())]
    kept = [ids[-3:] if cut else ids[:3] for ids in kept]
    assert (queries.lengths > 3).sum() > 10
    stream = RetrieverBatches(
        Texts([ragged(kept)], 5),
        store.passages(24),
        judged,
        read_negatives(world.negatives),
        pick_queries(judged[0], None, np.zeros(0), 3),
        options,
        partial(random.work, settings=None),
    )
    batch = stream.batch(0)
    model = read_encoder(root.parent).eval()

    def vectors(texts):
        rows = [torch.from_numpy(row[row != 0][None]) for row in assemble(texts, store.special)]
        return torch.cat([model(row, torch.ones_like(row)) for row in rows])

    scores = vectors(batch.queries) @ vectors(batch.passages).T
    scores[torch.from_numpy(batch.known["masked"])] = -torch.inf
    expected = -torch.log_softmax(scores, 1)[np.arange(20), batch.known["targets"]].mean()
    assert logged == pytest.approx(expected.item(), rel=1e-5)


def test_training_lowers_the_loss(trained, bert):
    manifest = trained("retriever", "longer", bert, epochs=25, learning_rate=3e-3)
    values = [json.loads(line)["contrast"] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-4:]) < 0.8 * np.mean(values[:4])


def test_a_typed_question_gets_the_stored_querys_vector(retriever, world):
    model, store = read_encoder(retriever.parent).eval(), TokenStore(world.tokens)
    stored = encode_window(model, store.queries("train", 12)[np.arange(20)], store.special)
    ask = QuestionEncoder(retriever.parent, 12)
    texts = Dataset(world.dataset).column("queries.train", "text").to_pylist()
    np.testing.assert_allclose(ask(texts), stored, atol=2e-3)


def test_folder_loads_in_other_libraries_with_the_same_vectors(retriever, world):
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel

    texts = Dataset(world.dataset).column("queries.train", "text").to_pylist()
    ask = QuestionEncoder(retriever.parent, 24)
    expected = np.concatenate([ask([text]) for text in texts])
    theirs = SentenceTransformer(str(retriever.parent), device="cpu")
    np.testing.assert_allclose(theirs.encode(texts), expected, atol=1e-5)
    assert theirs.similarity_fn_name == "dot"
    plain = AutoModel.from_pretrained(retriever.parent).eval()
    ids = theirs.tokenizer(texts[0], return_tensors="pt")["input_ids"]
    np.testing.assert_allclose(plain(ids).last_hidden_state[0, 0].detach(), expected[0], atol=1e-5)
