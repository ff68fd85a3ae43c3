"""Training on pairs: a retriever's loss over another stream, resumed as it went on, measured on other data."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives
from dewpoint.data.pair_streams import Judged
from dewpoint.data.tokens import TokenStore, assemble
from dewpoint.errors import UserError
from dewpoint.models.folder import read_encoder
from dewpoint.program import namespace
from training.conftest import development, settings, watched_by

MADE = {"negatives_per_query": 0}


def logged(manifest) -> list[dict]:
    return [json.loads(line) for line in (manifest.parent / "metrics.jsonl").open()]


def test_first_loss_is_the_papers(trained, world):
    """-log( exp s(q,p+) / Σ exp s(q,p) ) over all passages of the batch, texts one at a time."""
    root = trained("mlm", "still", architecture=settings()["architecture"] | {"dropout": 0.0})
    made = trained("pairs", "pairs-one-step", root, steps=1, batch_size=20)
    store, wanted = TokenStore(world.tokens), settings(steps=1, batch_size=20)
    sides = store.queries("train", 12), store.passages(24)
    stream = Judged(Dataset(world.dataset), *sides, read_negatives(world.negatives), namespace(json.dumps(wanted)))
    batch, model = stream.batch(0), read_encoder(root.parent).eval()

    def vectors(texts):
        rows = [torch.from_numpy(row[row != 0][None]) for row in assemble(texts, store.special)]
        return torch.cat([model(row, torch.ones_like(row)) for row in rows])

    scores = vectors(batch.queries) @ vectors(batch.passages).T
    scores[torch.from_numpy(batch.known["masked"])] = -torch.inf
    expected = -torch.log_softmax(scores, 1)[np.arange(20), batch.known["targets"]].mean()
    assert logged(made)[0]["contrast"] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("task", ["judged", "ict"])
def test_training_lowers_the_loss(trained, bert, task):
    """A sentence is found in its passage when it is left there."""
    made = trained("pairs", f"{task}-longer", bert, steps=200, learning_rate=1e-2, task=task, keep=1.0, **MADE)
    values = [line["contrast"] for line in logged(made)]
    assert np.mean(values[-20:]) < 0.8 * np.mean(values[:10])


def test_it_is_measured_on_other_data_and_the_best_is_kept(trained, world, bert):
    watched = development(queries=12, depth=3, measurements=3)
    made = trained("pairs", "watched", bert, steps=6, task="bfs", development=watched, files=watched_by(world), **MADE)
    found = [line["development_MRR@10"] for line in logged(made) if "development_MRR@10" in line]
    facts = json.loads(made.read_text())["facts"]
    assert len(found) == 3
    assert facts["best_development_MRR@10"] == max(found)
    assert (facts["retrieves"], facts["sentences"]) == (True, len(TokenStore(world.tokens).sentences()))


def test_two_encoders_a_projection_and_a_layer_norm(trained, bert):
    shape = {"query_source": "study", "projection": {"size": 6, "norm": True}}
    made = trained("pairs", "wide", bert, files={"queries_parent": bert}, task="ict", **shape, **MADE)
    query, passage = (load_file(made.parent / part / "model.safetensors") for part in ("query", "."))
    assert read_encoder(made.parent).dimension == 6
    assert any((query[name] - passage[name]).abs().max() > 0 for name in query)


def test_a_part_of_the_pairs_is_said(trained, bert):
    made = trained("pairs", "part", bert, steps=3, train_pairs=9)
    facts = json.loads(made.read_text())["facts"]
    assert (facts["pairs"], facts["epochs"]) == (9, 2.0)
    assert "trained on 9 pairs of `train`" in (made.parent / "README.md").read_text()
    with pytest.raises(UserError, match="train_pairs: 21 are wanted, but train has 20"):
        trained("pairs", "too-many", bert, train_pairs=21)
