"""DPR's encoders as the Hugging Face library has them: their vectors are those of its own classes."""

import json

import pytest
import torch
import transformers
from transformers import AutoTokenizer

from dewpoint.artifact import read_manifest
from dewpoint.data.tokenizer import load_tokenizer, train_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.dpr import is_dpr, read_dpr
from dewpoint.models.folder import read_retriever
from dewpoint.models.stand_in import model_class, stand_in
from programs import call

TEXTS = ["dew point of warm air", "cold glass and morning grass", "the vapour of a river at night: stone, leaf!"]
SHAPE = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
OWN = ["DPRContextEncoder", "DPRQuestionEncoder"]


def made(folder, name, projection=0, seed=0):
    """One of the library's DPR models, in a folder with its tokenizer."""
    words = train_tokenizer("bert", lambda: [TEXTS], 300)
    torch.manual_seed(seed)
    config = transformers.DPRConfig(
        vocab_size=len(words),
        projection_dim=projection,
        pad_token_id=words.pad_token_id,
        initializer_range=0.2,
        **SHAPE,
    )
    getattr(transformers, name)(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def theirs(folder, name):
    """Vectors as the library's class gives them."""
    words = AutoTokenizer.from_pretrained(folder)
    model = getattr(transformers, name).from_pretrained(folder).eval()
    with torch.no_grad():
        return model(**words(TEXTS, return_tensors="pt", padding=True)).pooler_output


def ours(encoder, words):
    inputs = words(TEXTS, return_tensors="pt", padding=True)
    with torch.no_grad():
        return encoder.eval()(inputs["input_ids"], inputs["attention_mask"])


@pytest.mark.parametrize("projection", [0, 10])
def test_a_released_dpr_gives_its_own_vectors(tmp_path, projection):
    """Contexts' from one folder, questions' from the other, both after they were taken into a study."""
    context, question = (made(tmp_path / name, name, projection, seed) for seed, name in enumerate(OWN))
    words = [
        call("tokenizer", tmp_path / f"words-{n}" / "manifest.json", {"source": str(of)})
        for n, of in enumerate((context, question))
    ]
    settings = {"recipe": "released", "source": str(context), "query_source": str(question)}
    settings |= {"pooling": None, "normalize": None, "query_length": 32, "passage_length": 32, "title": "pair"}
    settings |= {"query_prefix": "", "passage_prefix": ""}
    output = tmp_path / "model" / "manifest.json"
    call("recipes.released work", output, settings, tokenizer=words[0], query_tokenizer=words[1])
    model = read_retriever(output.parent)
    assert model.passages.dimension == model.queries.dimension == (projection or SHAPE["hidden_size"])
    for encoder, folder, name, kept in zip(
        (model.passages, model.queries), (context, question), OWN, (output.parent, output.parent / "query"), strict=True
    ):
        assert encoder.backbone.config.model_type == "bert"
        assert torch.allclose(ours(encoder, load_tokenizer(kept)), theirs(folder, name), atol=1e-6)
    assert not torch.allclose(theirs(context, OWN[0]), theirs(question, OWN[1]), atol=1e-2)
    assert read_manifest(output)["facts"]["retrieves"]


def test_what_is_no_encoder_of_dpr_is_a_line(tmp_path):
    with pytest.raises(UserError, match="a DPR of class 'DPRReader' gives no vectors; known: DPRContextEncoder, "):
        read_dpr(made(tmp_path / "reader", "DPRReader"))
    stand_in("org/bert", lambda: [TEXTS], 1, tmp_path / "bert")
    with pytest.raises(UserError, match=r"bert: is no DPR, but .*dpr is; name its encoder of questions"):
        read_dpr(made(tmp_path / "dpr", OWN[0]), tmp_path / "bert")


def test_a_damaged_one_is_a_line(tmp_path):
    folder = made(tmp_path / "dpr", OWN[0])
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": [OWN[1]]}))
    with pytest.raises(UserError, match=r"its weights lack 37 of this model's, such as question_encoder.bert_model"):
        read_dpr(folder)


@pytest.mark.parametrize(
    ("source", "name"),
    [("facebook/dpr-ctx_encoder-single-nq-base", OWN[0]), ("facebook/dpr-question_encoder-single-nq-base", OWN[1])],
)
def test_its_stand_in_is_of_its_class(tmp_path, source, name):
    assert stand_in(source, lambda: [TEXTS], 1, tmp_path / "one") == "dpr" == model_class(str(tmp_path / "one"))
    assert is_dpr(tmp_path / "one")
    assert json.loads((tmp_path / "one" / "config.json").read_text())["architectures"] == [name]
    stand_in(str(tmp_path / "one"), lambda: [TEXTS], 1, tmp_path / "again")  # of a folder, which a rehearsal may name
    assert read_dpr(tmp_path / "again").passages.dimension == 32
    assert json.loads((tmp_path / "again" / "config.json").read_text())["architectures"] == [name]
    assert model_class("sentence-transformers/facebook-dpr-ctx_encoder-single-nq-base") == "bert"
