"""Every family's parts are found under its own names, and a padded batch gives what each text gives alone."""

import pytest
import torch
from torch import nn

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models import parts
from dewpoint.models.backbone import load_encoder
from dewpoint.models.encoder import Encoder
from models.families import FAMILIES, TEXTS, make


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_model_is_made_of(family, tmp_path):
    model = load_encoder(make(family, tmp_path)).eval()
    seen = []
    parts.embeddings(model).register_forward_hook(lambda module, inputs, output: seen.append(output))
    for layer in parts.layers(model):
        layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model(torch.full((2, 5), 9))
    assert len(seen) == 1 + parts.depth(model.config) == 3  # the embeddings, then each layer in turn
    assert {tuple(hidden.shape) for hidden in seen[1:]} == {(2, 5, parts.width(model.config))}
    assert torch.equal(seen[0], seen[1]) or family == "electra"  # which widens its embeddings first


@pytest.mark.parametrize("pooling", ["cls", "mean", "last", "tokens"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_padded_batch_equals_single_texts(family, pooling, tmp_path):
    folder = make(family, tmp_path)
    encoder, tokenizer = Encoder(load_encoder(folder), pooling).eval(), load_tokenizer(folder)
    with torch.no_grad():
        batch = encoder(*_inputs(tokenizer, TEXTS))
        alone = [encoder(*_inputs(tokenizer, [text])) for text in TEXTS]
    if encoder.several:
        vectors, counts = batch.flat()
        batch, alone = vectors.split(counts.tolist()), [one.flat()[0] for one in alone]
    for got, expected in zip(batch, alone, strict=True):
        torch.testing.assert_close(got, expected.view_as(got), rtol=1e-4, atol=1e-5)


def _inputs(tokenizer, texts):
    made = tokenizer(texts, return_tensors="pt", padding=True)
    return made["input_ids"], made["attention_mask"]


def test_t5_comes_without_its_decoder(tmp_path):
    """Released T5s hold both; the encoder's weights are those of the whole."""
    from transformers import AutoConfig, T5ForConditionalGeneration

    config = AutoConfig.from_pretrained(make("t5", tmp_path / "encoder"))
    config.is_encoder_decoder = True
    whole = T5ForConditionalGeneration(config)
    whole.save_pretrained(tmp_path / "whole")
    ids, found = torch.full((2, 5), 9), load_encoder(tmp_path / "whole").eval()
    assert not any("decoder" in name for name, _ in found.named_parameters())
    expected = whole.encoder.eval()(ids).last_hidden_state
    torch.testing.assert_close(found(ids).last_hidden_state, expected)


def test_a_class_with_other_parts_is_one_line():
    class Other(nn.Module):
        config = type("Config", (), {"model_type": "gpt2"})

        @property
        def base_model(self):
            return self

    with pytest.raises(UserError, match=r"^models of class 'gpt2' are not known here: they have no encoder.layer$"):
        parts.layers(Other())
