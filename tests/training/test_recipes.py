"""Pre-training as recipes: what they start from, what they leave, and that they learn."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.data.tokenizer import load_tokenizer, train_tokenizer
from dewpoint.data.tokens import write_tokens
from dewpoint.errors import UserError
from dewpoint.models.condenser import HEAD
from dewpoint.models.dropout import keyed
from training.conftest import settings
from training.test_exact import condenser, made


def test_the_head_predicts_through_the_late_cls():
    """The head sees of the late layers nothing but CLS: cut that off, and late layers get no gradient from it."""
    model, (part,) = condenser(rate=0), made(10).chunks
    with keyed(model, part.keys):
        output = model.language_model.base_model(part.ids, attention_mask=part.mask, output_hidden_states=True)
        late = output.last_hidden_state.clone()
        late[:, 0] = late[:, 0].detach()
        model.condense(late, output.hidden_states[1], part.mask).sum().backward()
    last = model.language_model.bert.encoder.layer[-1].output.dense.weight
    assert last.grad is None or last.grad.abs().sum() == 0


def heads(*manifests):
    return [load_file(manifest.with_name(HEAD)) for manifest in manifests]


def test_a_condenser_continues_with_its_head(trained, bert, caplog):
    """From another node or from a folder; at a rate of next to nothing the head stays the parent's."""
    first = trained("condenser", "with-head", bert)
    assert "starts at random" in caplog.text and read_manifest(first)["facts"]["head"] == "random"
    caplog.clear()
    still = {"learning_rate": 1e-12, "steps": 1}
    node = trained("cocondenser", "from-node", first, **still)
    folder = trained("condenser", "from-folder", source=str(first.parent), **still)
    assert not caplog.records
    before, *after = heads(first, node, folder)
    for name, tensor in before.items():
        for one in after:
            torch.testing.assert_close(one[name], tensor, rtol=0, atol=1e-6)
    assert read_manifest(node)["facts"]["head"] == "its parent's"


@pytest.mark.parametrize(("changed", "said"), [({"head_layers": 2}, "has one of another shape"), ({}, "has none")])
def test_a_missing_head_is_said_aloud(trained, bert, caplog, changed, said):
    parent = trained("condenser", f"parent-{len(changed)}", bert) if changed else bert
    caplog.clear()
    trained("condenser", f"headless-{len(changed)}", parent, steps=1, **changed)
    assert f"the head of {changed.get('head_layers', 1)} layers starts at random" in caplog.text and said in caplog.text


def test_a_split_that_leaves_no_late_layer_is_refused(trained, bert):
    with pytest.raises(UserError, match="early_layers: 2 of 2 layers leave none after the split"):
        trained("condenser", "no-late", bert, early_layers=2)


def test_contrast_alone_trains_the_backbone_and_keeps_the_head(trained, bert):
    parent = trained("condenser", "whole", bert)
    manifest = trained("cocondenser", "contrast-alone", parent, mlm=False, learning_rate=1e-2)
    lines = [json.loads(line) for line in (manifest.parent / "metrics.jsonl").open()]
    assert all("contrast" in line and "head_mlm" not in line for line in lines)
    before, after = heads(parent, manifest)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    moved, still = "bert.encoder.layer.1.output.dense.weight", "cls.predictions.transform.dense.weight"
    one, other = (load_file(path.with_name("model.safetensors")) for path in (parent, manifest))
    assert torch.equal(one[still], other[still]) and not torch.equal(one[moved], other[moved])


def test_without_the_late_loss_it_is_not_logged(trained, bert):
    manifest = trained("condenser", "head-alone", bert, late_mlm=False)
    assert "late_mlm" not in (manifest.parent / "metrics.jsonl").read_text()


@pytest.fixture(scope="session")
def roberta(world) -> dict:
    """The world's texts for a RoBERTa: a tokenizer and tokens of its own."""
    texts = Dataset(world.dataset).column("corpus", "text").to_pylist()
    tokenizer = Artifact(world.root / "bytes" / "manifest.json")
    train_tokenizer("roberta", lambda: [texts], 300).save_pretrained(tokenizer.path("."))
    tokenizer.seal()
    tokens = Artifact(world.root / "byte-tokens" / "manifest.json")
    write_tokens(Dataset(world.dataset), load_tokenizer(tokenizer.folder), tokens)
    tokens.seal()
    return {"tokenizer": tokenizer.manifest, "tokens": tokens.manifest}


@pytest.mark.parametrize(("recipe", "loss"), [("mlm", "mlm"), ("condenser", "head_mlm"), ("cocondenser", "contrast")])
def test_training_lowers_the_loss(trained, bert, recipe, loss):
    changed = {"steps": 60, "learning_rate": 3e-3}
    manifest = trained(recipe, f"long-{recipe}", None if recipe == "mlm" else bert, **changed)
    values = [json.loads(line)[loss] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-5:]) < np.mean(values[:5])


@pytest.mark.parametrize("recipe", ["mlm", "condenser", "cocondenser"])
def test_a_roberta_learns_and_loads_elsewhere(trained, roberta, recipe):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    architecture = settings()["architecture"] | {"family": "roberta", "positions": 24}
    changed = {"steps": 60, "learning_rate": 3e-3, "architecture": architecture}
    manifest = trained(recipe, f"roberta-{recipe}", files=roberta, **changed)
    values = [json.loads(line)["loss"] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-5:]) < np.mean(values[:5])
    model = AutoModelForMaskedLM.from_pretrained(manifest.parent).eval()
    ids = AutoTokenizer.from_pretrained(manifest.parent)("dew on the grass", return_tensors="pt")
    assert type(model).__name__ == "RobertaForMaskedLM" and model(**ids).logits.isfinite().all()
    assert model.config.max_position_embeddings == 24 + 2


def test_pretrained_models_load_elsewhere(trained, bert):
    from transformers import AutoModel, AutoModelForMaskedLM

    for manifest in (bert, trained("condenser", "elsewhere", bert), trained("cocondenser", "elsewhere-too", bert)):
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
    with pytest.raises(UserError, match="no-such-model: no folder, and no model of a hub"):
        trained("mlm", "nowhere", source=str(tmp_path / "no-such-model"))


def test_texts_that_a_model_has_no_positions_for(trained, bert):
    """What others released, a study does not know the shape of."""
    with pytest.raises(UserError, match=r"^length 65, but the model has 64 positions$"):
        trained("mlm", "too-long", bert, length=65)
