"""Attention of the CLS: entropies are a plain sum over what transformers gives of each text by itself."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModel

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore, input_lengths, inputs, write_tokens
from dewpoint.errors import UserError
from dewpoint.models import attention
from dewpoint.models.attention import cls_entropies, entropies
from dewpoint.models.backbone import load_encoder
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from models.families import SMALL, TEXTS, make
from programs import call
from sample_study import load

PASSAGES = [
    (" ".join(text.split()[:1]) * (row % 2), " ".join([text] * (row % 3 + 1))) for row, text in enumerate(TEXTS * 3)
]
READ = ("bert", "distilbert", "electra", "roberta", "deberta", "mpnet", "modernbert")
LENGTH = 24


@pytest.fixture
def dataset(tmp_path):
    artifact = Artifact(tmp_path / "data" / "manifest.json")
    writer = DatasetWriter(artifact)
    for row, (title, text) in enumerate(PASSAGES):
        writer.passage("", f"p{row}", text, title, "")
    writer.finish()
    artifact.seal()
    return artifact.manifest


def model(folder, name, family="bert"):
    """(its manifest, that of the dataset's tokens)."""
    made = Artifact(folder / name / "manifest.json")
    make(family, made.path("."))
    made.seal()
    tokens = Artifact(folder / f"{name}-tokens" / "manifest.json")
    write_tokens(Dataset(folder / "data" / "manifest.json"), load_tokenizer(made.folder), tokens)
    tokens.seal()
    return made.manifest, tokens.manifest


def plainly(folder, texts, special):
    """A text after the other, so that there is no padding, head by head, weight by weight."""
    stock = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    found = []
    for row in range(len(texts[0].counts)):
        ids, _ = inputs([segment[np.array([row])] for segment in texts], special)
        with torch.no_grad():
            layers = stock(torch.from_numpy(ids), output_attentions=True).attentions
        found.append(
            [
                np.mean([-sum(p * math.log(p) for p in head if p > 0) for head in layer[0, :, 0].double().tolist()])
                for layer in layers
            ]
        )
    return np.array(found)


@pytest.mark.parametrize("family", READ)
def test_entropies_are_the_plain_ones(tmp_path, dataset, monkeypatch, family):
    """In batches with padding, of any size."""
    made, tokens = model(tmp_path, family, family)
    store = TokenStore(tokens)
    texts = store.passages(LENGTH)[np.arange(len(PASSAGES))]
    assert len(set(input_lengths(texts, store.special).tolist())) > 2
    expected = plainly(made.parent, texts, store.special)
    for held in (2**28, 2**15):
        monkeypatch.setattr(attention, "HELD", held)
        found = cls_entropies(load_encoder(made.parent), texts, store.special, family)
        assert found == pytest.approx(expected, abs=1e-5)
    assert found.std() > 1e-3


def test_uniform_attention_has_the_entropy_of_its_length():
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    weights = (mask / mask.sum(1, keepdim=True))[:, None].expand(2, 3, 4)
    assert entropies(weights, mask).tolist() == pytest.approx([math.log(3), math.log(4)])
    one = torch.tensor([[[1.0, 0, 0, 0], [0.25, 0.25, 0.5, 0]], [[0.5, 0.5, 0, 0]] * 2])
    assert entropies(one, mask).tolist() == pytest.approx([(0.5 * math.log(4) + 0.5 * math.log(2)) / 2, math.log(2)])


def test_padding_never_counts():
    """Even if a model gave it weight."""
    weights = torch.tensor([[[0.5, 0.25, 0.25]]])
    expected = 0.5 * math.log(2) + 0.25 * math.log(4)
    assert entropies(weights, torch.tensor([[1, 1, 0]])).item() == pytest.approx(expected)


@pytest.mark.parametrize(("family", "message"), [("t5", "no CLS"), ("qwen", "from left to right")])
def test_models_without_a_cls_that_sees_all_are_refused(tmp_path, dataset, family, message):
    made, tokens = model(tmp_path, family, family)
    store = TokenStore(tokens)
    with pytest.raises(UserError, match=f"{family}: .*{message}.*; name a kin of BERT"):
        cls_entropies(load_encoder(made.parent), store.passages(LENGTH)[np.arange(2)], store.special, family)


# --- the analysis -------------------------------------------------------------------------------

SETTINGS = {"models": ["one", "two"], "passages": 5, "length": LENGTH, "titles": "pair", "seed": 3}


def test_models_of_any_depth_read_the_same_passages(tmp_path, dataset, monkeypatch):
    """And so each time, byte by byte."""
    first = model(tmp_path, "one")
    monkeypatch.setitem(SMALL, "num_hidden_layers", 3)
    second = model(tmp_path, "two")
    given = {"models": [first[0], second[0]], "tokens": [first[1], second[1]]}
    outputs = [call("analyses.attention work", tmp_path / f"{time}/manifest.json", SETTINGS, **given) for time in "ab"]
    table = pd.read_parquet(outputs[0].parent / "attention.parquet")
    assert table.groupby("model")["layer"].apply(list).to_dict() == {"one": [1, 2], "two": [1, 2, 3]}
    store = TokenStore(first[1])
    rows = np.sort(np.random.default_rng(3).choice(len(PASSAGES), 5, replace=False))
    texts = store.passages(LENGTH)[rows]
    for name, (made, _) in {"one": first, "two": second}.items():
        of, expected = table[table["model"] == name], plainly(made.parent, texts, store.special)
        assert of["entropy"].tolist() == pytest.approx(expected.mean(0).tolist(), abs=1e-5)
        assert of["sd"].tolist() == pytest.approx(expected.std(0).tolist(), abs=1e-5)
        assert (of["passages"] == 5).all()
    uniform = np.mean([math.log(length) for length in input_lengths(texts, store.special)])
    assert table["uniform"].tolist() == pytest.approx([uniform] * 5)
    assert (table["entropy"] < table["uniform"]).all()
    assert (outputs[0].parent / "attention.svg").read_text().count("<polyline") == 2
    for name in ("attention.parquet", "attention.svg"):
        assert len({(output.parent / name).read_bytes() for output in outputs}) == 1


ENTRY = "{kind: attention, models: [bert, condenser, first], data: own}"
STUDY = ("tables:", f"analyses:\n  seen: {ENTRY}\ntables:")


def test_it_reads_models_and_tokens(tmp_path):
    graph = Graph(Config(study="s.yaml"), load(tmp_path, STUDY))
    models = [f"results/s/models/{name}/manifest.json" for name in ("bert", "condenser", "first")]
    tokens = ["data/own/tokens/d-bert-500/manifest.json"] * 3
    assert graph.analysis_inputs("seen") == {"models": models, "tokens": tokens}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("data: own}", "data: own, length: 600}"), "length: 600 tokens, but the model has 512 positions ('bert')"),
        (("[bert, condenser, first]", "[bert, cat]"), "models: 'cat' reads no passage by itself; name a pre-trained"),
        (("[bert, condenser, first]", "[bert, brt]"), "models: no model 'brt'; did you mean 'bert'"),
    ],
)
def test_mistakes(tmp_path, change, message):
    cross = ("  first:", "  cat: {recipe: crossencoder, from: co, data: d, negatives: [bm25]}\n  first:")
    with pytest.raises(UserError) as error:
        load(tmp_path, STUDY, cross, change)
    assert f"analyses.seen.{message}" in str(error.value)
