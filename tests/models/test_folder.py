"""A retriever's folder gives the same vectors here, in sentence-transformers and in AutoModel."""

import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from transformers import AutoModel

from dewpoint.data.tokenizer import load_tokenizer, prefix_ids, special_tokens, train_tokenizer
from dewpoint.data.tokens import Ragged, Texts, leading
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.models.folder import TYPES, is_retriever, query_folder, read_encoder, read_retriever, write_retriever
from dewpoint.search.encode import QuestionEncoder
from models.families import FAMILIES, TEXTS, make

LONG = " and ".join(TEXTS * 3)
LINEAR, NORMED = SimpleNamespace(size=6, norm=False), SimpleNamespace(size=6, norm=True)


def written(folder, family="bert", other=None, prefixes=("", ""), pooling=None, normalize=None, projection=None, **cut):
    """A retriever's folder, made from one tiny model, or from two."""
    paths = [make(family, folder / "passages"), *([make(other, folder / "queries")] if other else [])]
    encoders = [Encoder(load_encoder(path)) for path in paths]
    tokenizers = [load_tokenizer(path) for path in paths]
    model = Retriever(*encoders)
    model.set_output(pooling, normalize, projection)
    with torch.no_grad():
        for encoder in model.encoders:
            for parameter in encoder.projection.parameters() if encoder.projection else ():
                parameter += torch.randn_like(parameter)
    names = dict(zip(("query_prefix", "passage_prefix"), prefixes, strict=True))
    settings = SimpleNamespace(query_length=20, passage_length=24, **names, **cut)
    write_retriever(folder / "made", model, (tokenizers[0], tokenizers[-1]), settings, "a card")
    return folder / "made"


def ours(folder, texts, queries=False, prefix="", length=24):
    """Vectors as the encoding of a corpus makes them, from tokens."""
    folder = folder / "query" if queries and (folder / "query").exists() else folder
    tokenizer = load_tokenizer(folder)
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in ids])])
    special = special_tokens(tokenizer)
    column = Ragged(np.concatenate(ids), offsets)
    inputs = Texts([column], length, prefix_ids(tokenizer, prefix, length) if prefix else (), leading=leading(special))
    encoder, made = read_encoder(folder).eval(), {}
    encoder.encode(
        inputs[np.arange(len(texts))], special, 64, lambda rows, part: made.update(zip(rows, part, strict=True))
    )
    return torch.stack([made[row] for row in range(len(texts))]).numpy()


WAYS = {
    **{family: {"family": family} for family in FAMILIES},
    "mean": {"pooling": "mean"},
    "mean of deberta": {"family": "deberta", "pooling": "mean"},
    "normalized": {"pooling": "mean", "normalize": True},
    "projection": {"projection": LINEAR},
    "projection with norm": {"family": "roberta", "projection": NORMED, "normalize": True},
    "prefixes": {"prefixes": ("query: ", "passage: ")},
    "prefixes of roberta": {"family": "roberta", "prefixes": ("query:", "passage:")},
    "untied": {"other": "bert", "prefixes": ("query: ", "")},
    "mixed": {"family": "deberta", "other": "distilbert", "projection": NORMED, "pooling": "mean"},
}


@pytest.mark.parametrize("name", WAYS)
def test_sentence_transformers_gives_the_same_vectors(name, tmp_path):
    way = WAYS[name]
    folder = written(tmp_path, **way)
    query_prefix, prefix = way.get("prefixes", ("", ""))
    theirs = SentenceTransformer(str(folder), device="cpu")
    texts = [*TEXTS, LONG, "x"]
    np.testing.assert_allclose(theirs.encode_document(texts), ours(folder, texts, prefix=prefix), atol=1e-5)
    short = [*TEXTS, "x"]
    expected = ours(folder, short, queries=True, prefix=query_prefix)
    np.testing.assert_allclose(theirs.encode_query(short), expected, atol=1e-5)
    ask = QuestionEncoder(folder, 24, query_prefix)
    np.testing.assert_allclose(ask(short), expected, atol=1e-5)
    assert theirs.similarity_fn_name == "dot"
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


@pytest.mark.parametrize("prefix", ["", "query: "])
def test_questions_cut_from_the_left_keep_their_prefix_and_their_end(prefix, tmp_path):
    folder, texts = written(tmp_path), [*TEXTS, "x"]
    ask = partial(QuestionEncoder, folder, prefix=prefix)
    words = load_tokenizer(folder)
    tokens = words(LONG, add_special_tokens=False)["input_ids"]
    room = 16 - 2 - len(prefix_ids(words, prefix, 16))
    assert len(tokens) > room
    short = words.decode(tokens[-room:])
    np.testing.assert_allclose(ask(16, cut="left")([LONG]), ask(24)([short]), atol=1e-5)
    np.testing.assert_allclose(ask(24, cut="left")(texts), ask(24)(texts), atol=1e-6)
    assert np.abs(ask(16, cut="left")([LONG]) - ask(16)([LONG])).max() > 1e-3


def test_the_folder_of_queries_says_which_end_they_lose(tmp_path):
    folder = written(tmp_path, other="distilbert", query_cut="left")
    theirs, ask = SentenceTransformer(str(folder), device="cpu"), QuestionEncoder(folder, 20, cut="left")
    np.testing.assert_allclose(theirs.encode_query([LONG]), ask([LONG]), atol=1e-5)
    np.testing.assert_allclose(theirs.encode_document([LONG]), ours(folder, [LONG]), atol=1e-5)
    model, words = read_retriever(folder), [load_tokenizer(one) for one in (folder, folder / "query")]
    names = {"query_length": 20, "passage_length": 24, "query_prefix": "", "passage_prefix": ""}
    write_retriever(tmp_path / "again", model, tuple(words), SimpleNamespace(**names), "a card")
    again = SentenceTransformer(str(tmp_path / "again"), device="cpu")
    np.testing.assert_allclose(again.encode_query([LONG]), QuestionEncoder(folder, 20)([LONG]), atol=1e-5)


@pytest.mark.parametrize("other", [None, "distilbert"])
@pytest.mark.parametrize("way", [{}, {"projection": LINEAR, "normalize": True}], ids=["plain", "projected"])
def test_vectors_of_tokens_are_those_of_sentence_transformers(way, other, tmp_path):
    folder = written(tmp_path, pooling="tokens", other=other, **way)
    theirs = MultiVectorEncoder(str(folder), device="cpu")
    for encode, inner in ((theirs.encode_document, folder), (theirs.encode_query, query_folder(folder))):
        encoder, tokenizer = read_encoder(inner).eval(), load_tokenizer(inner)
        assert encoder.several and encoder.normalize == bool(way)
        ids = tokenizer(TEXTS, return_tensors="pt", padding=True, truncation=True, max_length=20)
        with torch.no_grad():
            vectors, counts = encoder(ids["input_ids"], ids["attention_mask"]).flat()
        assert counts.tolist() == ids["attention_mask"].sum(1).tolist()
        for mine, expected in zip(vectors.split(counts.tolist()), encode(TEXTS), strict=True):
            np.testing.assert_allclose(mine, expected, atol=1e-5)
    with pytest.raises(UserError, match="gives a vector for each token"):
        QuestionEncoder(folder, 24)


def test_two_encoders_differ_and_the_folder_of_queries_stands_alone(tmp_path):
    folder = written(tmp_path, other="distilbert", projection=LINEAR)
    both = SentenceTransformer(str(folder), device="cpu")
    alone = SentenceTransformer(str(folder / "query"), device="cpu")
    np.testing.assert_allclose(alone.encode(TEXTS), both.encode_query(TEXTS), atol=1e-6)
    assert np.abs(both.encode_query(TEXTS) - both.encode_document(TEXTS)).max() > 1e-2
    assert read_retriever(folder).queries.backbone.config.model_type == "distilbert"


def test_automodel_reads_the_passages_backbone(tmp_path):
    folder = written(tmp_path)
    ids = load_tokenizer(folder)(TEXTS[0], return_tensors="pt")["input_ids"]
    plain = AutoModel.from_pretrained(folder).eval()(ids).last_hidden_state[0, 0]
    np.testing.assert_allclose(plain.detach(), ours(folder, TEXTS)[0], atol=1e-5)


@pytest.mark.parametrize("other", [None, "bert"])
def test_a_projection_that_is_left_out_leaves_the_backbones_vectors(other, tmp_path):
    model = read_retriever(written(tmp_path, other=other, projection=NORMED))
    projected = [name for name in model.state_dict() if "projection" in name]
    backbone = {name: value.clone() for name, value in model.state_dict().items() if name not in projected}
    model.eval().set_output(None, None, SimpleNamespace(size=0, norm=False))
    assert projected and model.state_dict().keys() == backbone.keys()
    assert all(torch.equal(value, backbone[name]) for name, value in model.state_dict().items())
    ids = torch.tensor([[2, 7, 8, 3]])
    for encoder in model.encoders:
        hidden = encoder.backbone(ids).last_hidden_state[:, 0]
        assert torch.equal(encoder(ids, torch.ones_like(ids)), hidden) and encoder.dimension == hidden.shape[1] != 6


@pytest.mark.parametrize("way", [WAYS["projection with norm"], WAYS["mixed"], WAYS["normalized"]])
def test_what_is_read_is_what_was_written(way, tmp_path):
    folder = written(tmp_path, **way)
    model = read_retriever(folder)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.set_output(None, None)  # nothing is said, so nothing changes
    settings = SimpleNamespace(query_length=20, passage_length=24, query_prefix="", passage_prefix="")
    words = load_tokenizer(folder), load_tokenizer(folder / "query" if not model.tied else folder)
    write_retriever(tmp_path / "again", model, words, settings, "")
    again = read_retriever(tmp_path / "again")
    assert again.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in again.state_dict().items())
    for one, other in zip(again.encoders, model.encoders, strict=True):
        assert (
            (one.pooling, one.normalize)
            == (other.pooling, other.normalize)
            == (
                way.get("pooling") or "cls",
                bool(way.get("normalize")),
            )
        )


def test_a_language_model_is_no_retriever_and_gives_its_cls(tmp_path):
    folder = make("bert", tmp_path)
    assert not is_retriever(folder)
    encoder = read_encoder(folder)
    assert (encoder.pooling, encoder.projection, encoder.normalize) == ("cls", None, False)


# --- mistakes -----------------------------------------------------------------------------------


def changed(folder, name, change):
    path = folder / name
    values = json.loads(path.read_text())
    path.write_text(json.dumps(change(values)))
    return folder


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("modules.json", lambda m: [*m, m[0] | {"type": f"{TYPES}WordWeights"}], "its module WordWeights is not known"),
        ("2_Dense/config.json", lambda c: c | {"activation_function": "torch.nn.Tanh"}, "2_Dense has an activation"),
        ("1_Pooling/config.json", lambda c: {"pooling_mode_max_tokens": True}, "neither the CLS nor the mean"),
        ("modules.json", lambda m: [*m, m[2]], "only one linear projection"),
        ("modules.json", lambda m: [*m[:2], m[2] | {"path": "3_Gone"}], "has no 3_Gone/config.json"),
    ],
)
def test_a_folder_that_is_not_understood(tmp_path, name, change, message):
    folder = changed(written(tmp_path, projection=LINEAR), name, change)
    with pytest.raises(UserError, match=message):
        read_retriever(folder)


def test_vectors_of_some_tokens_are_not_taken_for_those_of_all(tmp_path):
    folder = written(tmp_path, pooling="tokens")
    changed(folder, "5_MultiVectorMask/config.json", lambda c: c | {"skiplist_words": [","]})
    with pytest.raises(
        UserError, match="its 5_MultiVectorMask leaves tokens out; only vectors of all tokens are known"
    ):
        read_retriever(folder)


def test_two_encoders_from_a_hub_are_not_taken_for_one(tmp_path, monkeypatch):
    folder = written(tmp_path, other="electra")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **_: str(folder))
    with pytest.raises(UserError, match="org/two: has two encoders; download it, and name the folder as path:DIR"):
        read_retriever("org/two")


def test_a_projection_without_bias_is_read(tmp_path):
    folder = changed(written(tmp_path, projection=LINEAR), "2_Dense/config.json", lambda c: c | {"bias": False})
    path = folder / "2_Dense" / "model.safetensors"
    save_file({"linear.weight": load_file(path)["linear.weight"]}, path)
    assert read_encoder(folder).projection[0].bias is None
    theirs = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(theirs, ours(folder, TEXTS), atol=1e-5)


def test_two_encoders_need_one_size(tmp_path):
    wide = Encoder(load_encoder(make("bert", tmp_path / "a")))
    narrow = Encoder(load_encoder(make("electra", tmp_path / "b")))
    narrow.set_output(None, None, LINEAR)
    with pytest.raises(UserError, match="queries have 6 dimensions, of passages 16; a projection gives both one size"):
        Retriever(wide, narrow).set_output(None, None)


@pytest.mark.parametrize(
    ("family", "positions"),
    [("bert", 64), ("roberta", 62), ("mpnet", 62), ("distilbert", 64), ("deberta", None), ("t5", None)],
)
def test_texts_and_tokens_must_fit(family, positions, tmp_path):
    encoder = Encoder(load_encoder(make(family, tmp_path)))
    vocabulary = encoder.backbone.config.vocab_size
    encoder.check_fits(vocabulary, positions or 512, "queries")
    ids = torch.full((1, positions or 512), vocabulary - 1)
    assert encoder(ids, torch.ones_like(ids)).isfinite().all()  # so many there are indeed
    if positions:
        with pytest.raises(
            UserError, match=f"queries: length {positions + 1}, but the model has {positions} positions"
        ):
            encoder.check_fits(vocabulary, positions + 1, "queries")
    with pytest.raises(UserError, match=f"queries: {vocabulary + 1} kinds of tokens, but the model knows {vocabulary}"):
        encoder.check_fits(vocabulary + 1, 8, "queries")


@pytest.mark.parametrize(("family", "pooling", "warned"), [("t5", "cls", 1), ("t5", "mean", 0), ("bert", "cls", 0)])
def test_a_first_token_that_is_no_cls_is_warned_of(tmp_path, caplog, family, pooling, warned):
    model, words = Retriever(Encoder(load_encoder(make(family, tmp_path)), pooling)), load_tokenizer(tmp_path)
    model.check_fits(words, words, SimpleNamespace(query_length=8, passage_length=8))
    assert caplog.text.count("warning: there is no CLS token; its vector is that of a text's first token") == warned


def test_a_prefix_must_come_apart_from_the_text(tmp_path):
    tokenizer = train_tokenizer("roberta", lambda: [["query: the water", "some water and the water"] * 9], 300)
    with pytest.raises(UserError, match="prefix 'query: ': this tokenizer joins its end to the text; end it with ':'"):
        prefix_ids(tokenizer, "query: ", 32)
    assert len(prefix_ids(tokenizer, "query:", 32)) > 1
    with pytest.raises(UserError, match="tokens leave no room for a text of length 5"):
        prefix_ids(tokenizer, "a long query:", 5)
