"""Stand-ins load as what they stand for, tell texts apart, and are all different."""

import json

import pytest
import torch
from transformers import AutoTokenizer

from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder
from dewpoint.models.encoder import Encoder
from dewpoint.models.stand_in import CLASSES, model_class, stand_in

TEXTS = ["dew point of warm air", "cold glass and morning grass", "the vapour of a river at night: stone, leaf!"]


def made(folder, source="org/bert", seed=1):
    kind = stand_in(source, lambda: [TEXTS], seed, folder)
    return kind, load_encoder(folder), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("google-bert/bert-base-uncased", "bert"),
        ("Luyu/condenser", "bert"),
        ("FacebookAI/roberta-large", "roberta"),
        ("FacebookAI/xlm-roberta-base", "xlm-roberta"),
        ("distilbert/distilbert-base-uncased", "distilbert"),
        ("sentence-transformers/all-mpnet-base-v2", "mpnet"),
        ("google/electra-base-discriminator", "electra"),
        ("microsoft/deberta-v3-base", "deberta-v2"),
        ("sentence-transformers/gtr-t5-base", "t5"),
        ("nghuyong/ernie-2.0-base-en", "ernie"),
        ("answerdotai/ModernBERT-base", "modernbert"),
        ("Alibaba-NLP/gte-modernbert-base", "modernbert"),
        ("Qwen/Qwen3-Embedding-0.6B", "qwen3"),
        ("Alibaba-NLP/gte-Qwen2-1.5B-instruct", "qwen2"),
        ("intfloat/e5-mistral-7b-instruct", "mistral"),
        ("meta-llama/Llama-3.2-1B", "llama"),
        ("intfloat/e5-base-v2", "bert"),
    ],
)
def test_a_hub_models_name_says_its_class(source, kind):
    assert model_class(source) == kind


@pytest.mark.parametrize("kind", CLASSES)
def test_a_model_of_each_class_tells_texts_apart(tmp_path, kind):
    found, model, tokenizer = made(tmp_path, f"org/{kind}")
    assert found == model.config.model_type == kind
    inputs = tokenizer(TEXTS, return_tensors="pt", padding=True)
    assert inputs["input_ids"].max() < model.config.vocab_size
    with torch.no_grad():
        vectors = Encoder(model.eval())(inputs["input_ids"], inputs["attention_mask"])
    assert torch.cdist(vectors, vectors).fill_diagonal_(9).min() > 0.01


def test_a_folder_says_its_class(tmp_path):
    made(tmp_path / "roberta-by-name", "org/electra")
    assert model_class(str(tmp_path / "roberta-by-name")) == "electra"


def test_a_class_that_no_one_knows_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(UserError, match="no stand-in for models of class 'gpt2'; known: xlm-roberta, "):
        model_class(str(tmp_path))


def test_no_two_are_the_same(tmp_path):
    names = [("one", "org/bert", 1), ("two", "org/bert-x", 1), ("three", "org/bert", 2), ("again", "org/bert", 1)]
    one, two, three, again = (made(tmp_path / name, source, seed)[1].state_dict() for name, source, seed in names)
    word = "embeddings.word_embeddings.weight"
    assert not torch.equal(one[word], two[word]) and not torch.equal(one[word], three[word])
    assert torch.equal(one[word], again[word])
