"""Inputs of models without [CLS] and [SEP]: what their own tokenizers make of texts, no end taken for padding."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models, processors
from transformers import LlamaTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.tokenizer import END, load_tokenizer, prefix_ids, special_tokens, train_tokenizer
from dewpoint.data.tokens import TokenStore, inputs, write_tokens
from dewpoint.errors import UserError

TEXTS = ["the dew point of warm air", "", f"glass{END} and </s> grass", "what is cold? Query: water 7"]
FAMILIES = {"modernbert": ("[CLS]", "[SEP]"), "qwen": (None, END), "llama": ("<s>", "</s>")}


def learned(family: str) -> dict:
    return json.loads(train_tokenizer(family, lambda: [TEXTS * 5], 400).backend_tokenizer.to_str())["model"]


def bare(kind: str, folder, **more):
    """A language model's tokenizer of a class of the library, that puts no token behind a text."""
    made = learned("qwen" if kind == "qwen" else "llama")
    merges = [tuple(merge) for merge in made["merges"]]
    (Qwen2Tokenizer if kind == "qwen" else LlamaTokenizer)(vocab=made["vocab"], merges=merges, **more).save_pretrained(
        folder
    )
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_inputs_and_masks_are_those_of_the_tokenizer(family, tmp_path):
    """Cut and whole, of a text without words, and of one in which the token stands that pads."""
    writer = DatasetWriter(data := Artifact(tmp_path / "data" / "manifest.json"))
    for number, text in enumerate(TEXTS):
        writer.passage("", f"p{number}", text or "x")
    writer.query("", "test", "q", "x")
    writer.finish()
    data.seal()
    train_tokenizer(family, lambda: [TEXTS * 5], 400).save_pretrained(tmp_path / "words")
    tokenizer = load_tokenizer(tmp_path / "words")
    assert tokenizer.padding_side == "right"
    write_tokens(Dataset(data.manifest), tokenizer, tokens := Artifact(tmp_path / "tokens" / "manifest.json"))
    tokens.seal()
    store = TokenStore(tokens.manifest)
    before, behind = FAMILIES[family]
    assert store.special["cls"] == (tokenizer.convert_tokens_to_ids(before) if before else None)
    assert store.special["sep"] == tokenizer.convert_tokens_to_ids(behind)
    assert (store.special["pad"] == store.special["sep"]) == (family != "modernbert")
    for length in (5, 64):
        typed = store.typed(TEXTS, tokenizer, length)
        ids, mask = inputs(typed[np.arange(len(TEXTS))], store.special)
        theirs = tokenizer(TEXTS, max_length=length, truncation=True, padding="longest")
        assert ids.tolist() == theirs["input_ids"] and mask.tolist() == theirs["attention_mask"]
        assert mask.sum(1).min() < mask.shape[1]


@pytest.mark.parametrize("kind", ["qwen", "llama"])
def test_a_language_models_tokenizer_gets_an_end_that_stays(kind, tmp_path):
    """And padding. What it began a text with it still does; saved and read again, here and by the library, too."""
    begins = {} if kind == "qwen" else {"add_bos_token": True, "add_eos_token": False}
    folder = bare(kind, tmp_path / "bare", **begins)
    if begins:  # as released files have it
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | begins))
    plain = PreTrainedTokenizerFast.from_pretrained(folder)(TEXTS)["input_ids"]
    tokenizer = load_tokenizer(folder)
    end = tokenizer.eos_token_id
    assert tokenizer.pad_token_id == end is not None
    assert tokenizer(TEXTS)["input_ids"] == [[*ids, end] for ids in plain]
    assert [ids[:1] == [tokenizer.bos_token_id] for ids in plain] == [bool(begins)] * len(TEXTS)
    tokenizer.save_pretrained(tmp_path / "again")
    for again in (load_tokenizer(tmp_path / "again"), PreTrainedTokenizerFast.from_pretrained(tmp_path / "again")):
        assert again(TEXTS)["input_ids"] == tokenizer(TEXTS)["input_ids"] and again.pad_token_id == end


def test_a_retriever_whose_texts_have_no_end_is_refused(tmp_path):
    (bare("llama", tmp_path) / "modules.json").write_text("[]")
    with pytest.raises(UserError, match=f"^{tmp_path}: its tokenizer ends no text with a token; save it with add_eos"):
        load_tokenizer(tmp_path)


def test_more_tokens_around_a_text_are_refused(tmp_path):
    words = Tokenizer(models.WordLevel({"</s>": 0, "a": 1, "b": 2, "<unk>": 3}, unk_token="<unk>"))
    words.post_processor = processors.TemplateProcessing(
        single="a b $A </s>", special_tokens=[("a", 1), ("b", 2), ("</s>", 0)]
    )
    made = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", pad_token="</s>", unk_token="<unk>")
    with pytest.raises(
        UserError, match=r"its tokenizer puts 2 tokens before a text and 1 behind it; one each is known$"
    ):
        special_tokens(made)


def test_a_space_behind_a_prefix_may_be_the_texts(tmp_path):
    """Of Mistral's words, each of which has the space before it; of Qwen's bytes the space is the text's no more."""
    llama = train_tokenizer("llama", lambda: [[*TEXTS, "Query: what"] * 5], 300)
    made = prefix_ids(llama, "Query: ", 32)
    for text in ("water 7", "what is cold?"):
        encode = lambda text: llama(text, add_special_tokens=False)["input_ids"]  # noqa: E731
        assert made + encode(text) == encode(f"Query: {text}")
    qwen = train_tokenizer("qwen", lambda: [[*TEXTS, "Query: what"] * 5], 400)
    assert prefix_ids(qwen, "Query:", 32) + qwen("water 7")["input_ids"] == qwen("Query:water 7")["input_ids"]
    with pytest.raises(UserError, match="this tokenizer joins its end to the text"):
        prefix_ids(qwen, "Query: ", 32)
