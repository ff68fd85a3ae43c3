"""Pre-training equals the papers' equations written out plainly: full logits, no chunks."""

import json

import numpy as np
import pytest
import torch

from dewpoint.errors import UserError
from dewpoint.models.backbone import load_language_model
from dewpoint.models.condenser import Condenser
from dewpoint.training.recipes.condenser import condenser_losses
from dewpoint.training.recipes.pretraining import Masked
from training.conftest import settings


@pytest.fixture
def condenser(bert):
    torch.manual_seed(0)
    return Condenser.load(load_language_model(bert.parent), None, early_layers=1, head_layers=2).eval()


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    ids = random.integers(5, 60, (4, 12))
    lengths = np.array([12, 9, 5, 12])
    mask = (np.arange(12) < lengths[:, None]).astype(np.int64)
    ids[:, 0] = 2
    ids[mask == 0] = 0
    where = (random.random((4, 12)) < 0.3) & (mask == 1) & (np.arange(12) > 0)
    inputs = np.where(where, 4, ids)
    return Masked(*map(torch.from_numpy, (ids, inputs, mask, where)))


def plain_losses(model: Condenser, batch: Masked):
    """Layer by layer, one text at a time without padding, logits at every position."""
    bert, predict = model.language_model.bert, model.language_model.cls
    head = late = 0.0
    cls = []
    for ids, inputs, mask, where in zip(*batch, strict=True):
        length = int(mask.sum())
        hidden = bert.embeddings(input_ids=inputs[None, :length])
        states = [hidden]
        for layer in bert.encoder.layer:
            states.append(layer(states[-1], None))
        hidden = torch.cat([states[-1][:, :1], states[1][:, 1:]], dim=1)
        for layer in model.head:
            hidden = layer(hidden, None)
        for position in torch.nonzero(where).flatten():
            head -= torch.log_softmax(predict(hidden)[0, position], -1)[ids[position]]
            late -= torch.log_softmax(predict(states[-1])[0, position], -1)[ids[position]]
        cls.append(states[-1][0, 0])
    return head, late, torch.stack(cls)


def test_condenser_losses_and_gradients_are_the_papers(condenser, batch):
    head, late, cls = condenser_losses(condenser, batch)
    (head + late).backward()
    gradients = {name: p.grad.clone() for name, p in condenser.named_parameters() if p.grad is not None}
    condenser.zero_grad()
    plain_head, plain_late, plain_cls = plain_losses(condenser, batch)
    (plain_head + plain_late).backward()
    torch.testing.assert_close(head, plain_head, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(late, plain_late, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(cls, plain_cls, rtol=1e-5, atol=1e-5)
    for name, parameter in condenser.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-4, atol=1e-5)


def test_the_head_predicts_through_the_late_cls(condenser, batch):
    """The head sees of the late layers nothing but CLS: cut that off, and late layers get no gradient from it."""
    late, early = condenser.backbone(batch.inputs, batch.mask, early=True)
    cut = late.clone()
    cut[:, 0] = late[:, 0].detach()
    condenser.condense(cut, early, batch.mask).sum().backward()
    last = condenser.language_model.bert.encoder.layer[-1].output.dense.weight
    assert last.grad is None or last.grad.abs().sum() == 0


def test_a_condenser_continues_with_its_head(trained, bert, caplog):
    first = trained("condenser", "condenser", bert)
    caplog.clear()
    language_model = load_language_model(first.parent)
    model = Condenser.load(language_model, first.parent, early_layers=1, head_layers=1)
    again = Condenser.load(language_model, first.parent, early_layers=1, head_layers=1)
    assert not caplog.records
    assert all(torch.equal(a, b) for a, b in zip(model.head.parameters(), again.head.parameters(), strict=True))
    Condenser.load(language_model, bert.parent, early_layers=1, head_layers=1)
    assert "starts at random" in caplog.text


@pytest.mark.parametrize(("recipe", "loss"), [("mlm", "mlm"), ("condenser", "head_mlm"), ("cocondenser", "contrast")])
def test_training_lowers_the_loss(trained, bert, recipe, loss):
    changed = {"steps": 60, "learning_rate": 3e-3}
    manifest = trained(recipe, f"long-{recipe}", None if recipe == "mlm" else bert, **changed)
    values = [json.loads(line)[loss] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-5:]) < np.mean(values[:5])


@pytest.mark.parametrize("chunk", [1, 5])
def test_cocondenser_is_the_same_in_chunks(trained, bert, chunk):
    still = {"architecture": settings()["architecture"] | {"dropout": 0.0}}
    root = trained("mlm", f"still-{chunk}", None, **still)
    whole, parts = (trained("cocondenser", f"chunks-{chunk}-{size}", root, chunk=size) for size in (0, chunk))
    for a, b in zip((whole.parent / "metrics.jsonl").open(), (parts.parent / "metrics.jsonl").open(), strict=True):
        assert json.loads(a) == pytest.approx(json.loads(b), rel=1e-3)


def test_pretrained_models_load_elsewhere(trained, bert):
    from transformers import AutoModel, AutoModelForMaskedLM

    for manifest in (bert, trained("condenser", "elsewhere", bert)):
        language_model = AutoModelForMaskedLM.from_pretrained(manifest.parent)
        plain = AutoModel.from_pretrained(manifest.parent)
        ids = torch.tensor([[2, 7, 8, 3]])
        expected = language_model.base_model.eval()(ids).last_hidden_state
        torch.testing.assert_close(plain.eval()(ids).last_hidden_state, expected)


@pytest.mark.parametrize("recipe", ["mlm", "condenser", "cocondenser", "retriever"])
def test_training_starts_from_a_folders_weights(trained, bert, recipe):
    """`path:DIR`, as `hub:` does, hands the recipe a name to load from; at a rate of next to nothing nothing moves."""
    from transformers import AutoModel

    manifest = trained(recipe, f"folder-{recipe}", source=str(bert.parent), learning_rate=1e-12, steps=1, epochs=1)
    before, after = (AutoModel.from_pretrained(path.parent, add_pooling_layer=False) for path in (bert, manifest))
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(old, new, rtol=0, atol=1e-6)


def test_a_model_that_is_not_there_is_one_line(trained, tmp_path):
    with pytest.raises(UserError, match="no-such-model: no model could be loaded"):
        trained("mlm", "nowhere", source=str(tmp_path / "no-such-model"))
