"""Queries written for passages: drawn as the model says, the same in any shards and after any interruption."""

import copy
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_seq2seq
from dewpoint.models.seq2seq import Decoder, bytes_a_text, draw, write
from dewpoint.models.stand_in import stand_in
from dewpoint.rankers import expand as kind
from dewpoint.search import bm25, expansions
from dewpoint.search.expansions import Expanded, expand, lots_of, write_queries
from models.families import pieces
from search.test_bm25 import SETTINGS as BM25
from search.test_bm25 import corpus

SETTINGS = {"queries": 4, "top_k": 10, "temperature": 1.0, "seed": 7, "precision": "float32"}
SETTINGS |= {"passage_length": 24, "passage_prefix": "", "query_length": 8, "title": "prefix"}
WORDS = ["river", "valley", "empire", "battle", "museum", "theory", "planet", "engine", "bridge", "castle", "harbour"]
BLOCK = 8


def passages(count: int) -> list[str]:
    """Of many lengths."""
    drawn = np.random.default_rng(3)
    return [" ".join(drawn.choice(WORDS, 1 + row * 7 % 30)) for row in range(count)]


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    """(a model, its tokenizer)"""
    folder = tmp_path_factory.mktemp("t5")
    stand_in("org/t5", lambda: [passages(60)], 1, folder)
    return load_seq2seq(folder).eval(), load_tokenizer(folder)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    texts = passages(45)
    return corpus(
        tmp_path_factory.mktemp("passages") / "data", texts, ["castle" if row % 3 else "" for row in range(45)]
    )


def made(t5, dataset, folder, shard=0, shards=1, block=BLOCK, **others):
    """The manifest of a shard."""
    settings = SETTINGS | {"shard": shard, "shards": shards} | others
    artifact = Artifact(folder / "t5" / "d" / f"{shard}of{shards}.json", settings, "code", [dataset])
    try:
        expand(artifact, Dataset(dataset), *t5, SimpleNamespace(**settings), block)
        artifact.seal()
    finally:
        artifact.discard()
    return artifact.manifest


def read(*manifests):
    rows = [row for path in manifests for row in pq.read_table(path.with_suffix(".parquet")).to_pylist()]
    return {row["passage"]: row["queries"] for row in rows}


def test_each_passage_has_its_queries(t5, dataset, tmp_path):
    found = read(made(t5, dataset, tmp_path))
    assert list(found) == list(range(45)) and {len(queries) for queries in found.values()} == {4}
    assert len({query for queries in found.values() for query in queries}) > 100


@pytest.mark.parametrize("shards", [2, 3, 7])
def test_shards_change_nothing(t5, dataset, tmp_path, shards):
    parts = [made(t5, dataset, tmp_path, shard, shards) for shard in range(shards)]
    assert read(*parts) == read(made(t5, dataset, tmp_path))


def test_batches_change_nothing(t5, dataset, tmp_path):
    """Neither which passages are worked on together nor in what order."""
    settings, texts = SimpleNamespace(**SETTINGS), passages(30)
    whole = write_queries(*t5, texts, 100, settings, held=2**30)
    assert write_queries(*t5, texts, 100, settings, held=1) == whole
    assert write_queries(*t5, texts[11:20], 111, settings) == whole[11:20]
    assert write_queries(*t5, texts, 101, settings) != whole


@pytest.mark.parametrize("block", [1, 20, 100])
def test_blocks_change_nothing(t5, dataset, tmp_path, block):
    assert read(made(t5, dataset, tmp_path, block=block)) == read(made(t5, dataset, tmp_path / "other"))


def test_seed_and_settings_change_all(t5, dataset, tmp_path):
    first = read(made(t5, dataset, tmp_path))
    assert read(made(t5, dataset, tmp_path / "seed", seed=8)) != first
    cold = read(made(t5, dataset, tmp_path / "cold", temperature=1e-6))
    assert all(len(set(queries)) == 1 for queries in cold.values())
    assert read(made(t5, dataset, tmp_path / "one", top_k=1)) == cold


@pytest.mark.parametrize("harm", [None, "cut", "halfway"])
def test_a_killed_shard_goes_on_where_it_was(t5, dataset, tmp_path, monkeypatch, harm):
    whole = made(t5, dataset, tmp_path / "straight", 1, 2)
    begun = []

    def killed(model, tokenizer, texts, first, *rest):
        begun.append(first)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return write_queries(model, tokenizer, texts, first, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(expansions, "write_queries", killed)
        made(t5, dataset, tmp_path, 1, 2)
    (left,) = (tmp_path / "t5").glob(".unfinished/*/")
    assert len(list(left.iterdir())) == 2
    again, first = begun[2:], left / f"{begun[0]}.parquet"
    if harm == "cut":
        first.write_bytes(first.read_bytes()[:50])
        again = [begun[0], *again]
    if harm == "halfway":
        (left / f"{begun[2]}.partial").write_bytes(b"PAR1")
    resumed = []

    def counted(model, tokenizer, texts, first, *rest):
        resumed.append(first)
        return write_queries(model, tokenizer, texts, first, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(expansions, "write_queries", counted)
        manifest = made(t5, dataset, tmp_path, 1, 2)
    assert resumed[: len(again)] == again and len(set(resumed) & set(begun[:2])) == (harm == "cut")
    assert manifest.with_suffix(".parquet").read_bytes() == whole.with_suffix(".parquet").read_bytes()
    assert not left.exists()


# --- the decoder --------------------------------------------------------------------------------


def inputs(t5, count=5):
    return t5[1](passages(count), padding=True, return_tensors="pt")


@pytest.fixture(params=["stand-in", "gated", "mt5"])
def writer(request, t5):
    """Models of the classes that T5 comes in."""
    if request.param == "stand-in":
        return t5[0]
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    torch.manual_seed(5)
    shape = {"d_model": 16, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 3, "d_kv": 8, "d_ff": 20}
    kind = {"gated": "t5", "mt5": "mt5"}[request.param]
    config = AutoConfig.for_model(
        kind, vocab_size=len(t5[1]), feed_forward_proj="gated-gelu", tie_word_embeddings=False, pad_token_id=0, **shape
    )
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model


def test_a_step_of_the_decoder_equals_the_librarys(writer, t5):
    """Also when the passages that have ended are let go of."""
    held = inputs(t5)
    ids, mask = held["input_ids"], held["attention_mask"]
    texts = torch.randint(3, writer.config.vocab_size, (5, 3, 9), generator=torch.manual_seed(1))
    texts[:, :, 0] = writer.config.pad_token_id
    rows = torch.arange(5)
    with torch.inference_mode():
        decoder = Decoder(writer, writer.encoder(ids, attention_mask=mask).last_hidden_state, mask)
        for place in range(9):
            if place == 4:
                rows = torch.tensor([1, 4])
                decoder.keep(rows)
            found = decoder.step(texts[rows, :, place])
            for text in range(3):
                begun = texts[rows, text, : place + 1]
                known = writer(input_ids=ids[rows], attention_mask=mask[rows], decoder_input_ids=begun).logits[:, -1]
                torch.testing.assert_close(found[:, text], known, atol=2e-4, rtol=2e-4)


def test_the_likeliest_words_are_the_librarys(t5):
    held = inputs(t5)
    model = t5[0]
    written = write(model, held["input_ids"], held["attention_mask"], torch.rand(5, 2, 11, dtype=torch.float64), 1, 1.0)
    given = {key: held[key] for key in ("input_ids", "attention_mask")}
    begins = {"decoder_start_token_id": model.config.pad_token_id}
    known = model.generate(**given, **begins, max_length=12, do_sample=False)
    known = torch.nn.functional.pad(known[:, 1:], (0, 12 - known.shape[1]), value=model.config.pad_token_id)
    assert torch.equal(written[:, 0], known) and torch.equal(written[:, 1], known)


def test_after_its_end_a_text_is_padding(t5):
    held, lots = inputs(t5, 20), torch.rand(20, 6, 40, dtype=torch.float64, generator=torch.manual_seed(2))
    model = copy.deepcopy(t5[0])
    model.config.eos_token_id = -1  # none
    straight = write(model, held["input_ids"], held["attention_mask"], lots, 10, 1.0)
    model.config.eos_token_id = straight.flatten().bincount().argsort()[-2].item()  # a token that is often written
    written = write(model, held["input_ids"], held["attention_mask"], lots, 10, 1.0)
    ends = (written == model.config.eos_token_id).int().argmax(-1)
    ended = (written == model.config.eos_token_id).any(-1)
    assert 20 < ended.sum() < 120 and torch.equal(written[~ended], straight[~ended])
    for passage, text in ended.nonzero().tolist():
        end = ends[passage, text] + 1
        assert torch.equal(written[passage, text, :end], straight[passage, text, :end])
        assert (written[passage, text, end:] == model.config.pad_token_id).all()


def test_tokens_are_drawn_as_often_as_their_shares_say():
    logits = torch.tensor([2.0, -1.0, 3.0, 0.5, 2.5])
    lots = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    drawn = draw(logits.expand(100_000, 5), lots, 3, 0.7).bincount(minlength=5) / 100_000
    shares = torch.softmax(torch.tensor([2.0, -torch.inf, 3.0, -torch.inf, 2.5]) / 0.7, 0)
    torch.testing.assert_close(drawn, shares, atol=2e-5, rtol=0)


def test_lots_are_spread_evenly_and_of_their_row_alone():
    settings = SimpleNamespace(**SETTINGS | {"queries": 20, "query_length": 50})
    lots = lots_of(np.arange(100), settings)
    assert lots.shape == (100, 20, 50) and len(np.unique(lots)) == lots.size
    assert abs(np.histogram(lots, 10, (0, 1))[0] / lots.size - 0.1).max() < 0.005
    assert np.array_equal(lots_of(np.array([42, 7]), settings), lots[[42, 7]])


def test_what_is_held_is_counted(t5):
    """Keys and values of both attentions, of every layer."""
    model = t5[0]
    ids, mask = inputs(t5, 1)["input_ids"], inputs(t5, 1)["attention_mask"]
    with torch.inference_mode():
        decoder = Decoder(model, model.encoder(ids, attention_mask=mask).last_hidden_state, mask)
        for _ in range(6):
            decoder.step(torch.full((1, 4), 5))
    held = [part for layer in (*decoder.seen, *decoder.past) for part in layer]
    assert sum(part.numel() * part.element_size() for part in held) == bytes_a_text(model, ids.shape[1], 4, 6)


# --- what is ranked -----------------------------------------------------------------------------


def test_the_index_is_that_of_texts_with_queries_at_their_end(t5, dataset, tmp_path):
    parts = [made(t5, dataset, tmp_path, shard, 2) for shard in range(2)]
    written, data = read(*parts), Dataset(dataset)
    texts = [" ".join([text, *written[row]]) for row, text in enumerate(data.column("corpus", "text").to_pylist())]
    titles = data.column("corpus", "title").to_pylist()
    plain = corpus(tmp_path / "joined", texts, titles)

    def build(folder, make):
        artifact = Artifact(folder / "manifest.json", BM25)
        make(artifact)
        artifact.seal()
        return {path.name: path.read_bytes() for path in folder.glob("*.npy")}

    settings = SimpleNamespace(**BM25)
    one = build(tmp_path / "one", lambda artifact: kind.index(artifact, settings, dataset, parts))
    assert one == build(tmp_path / "two", lambda artifact: bm25.build(artifact, Dataset(plain), settings))
    assert one != build(tmp_path / "three", lambda artifact: bm25.build(artifact, data, settings))
    small = build(tmp_path / "four", lambda artifact: bm25.build(artifact, Expanded(dataset, parts), settings, 7))
    assert small == one


def test_shards_that_make_no_whole_are_refused(t5, dataset, tmp_path):
    parts = [made(t5, dataset, tmp_path, shard, 2) for shard in range(2)]
    with pytest.raises(UserError, match=r"0of2.json: ends at row 24 of 45; name all shards"):
        Expanded(dataset, parts[:1])
    with pytest.raises(UserError, match=r"1of2.json: begins at row 24, but row 0 comes next"):
        Expanded(dataset, parts[::-1])


def test_a_t5_with_its_own_kind_of_tokenizer_writes(t5, dataset, tmp_path):
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    tokenizer = pieces(passages(60))
    shape = {"d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 24}
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", vocab_size=len(tokenizer), **shape, **ids))
    found = read(made((model.eval(), tokenizer), dataset, tmp_path))
    assert all("</s>" not in query and "▁" not in query for queries in found.values() for query in queries)


def test_in_bfloat16_it_is_the_same_in_any_shards(t5, dataset, tmp_path):
    """Rounding is coarse there; that batches stay within blocks keeps it out."""
    low = copy.deepcopy(t5[0]).to(torch.bfloat16), t5[1]
    whole = read(made(low, dataset, tmp_path))
    assert read(*(made(low, dataset, tmp_path, shard, 3) for shard in range(3))) == whole
    assert whole != read(made(t5, dataset, tmp_path / "other"))
