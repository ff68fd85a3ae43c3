"""Tokens: cut, assembled and stored as a slow reading of the same texts says."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.masking import WordMasker
from dewpoint.data.tokenizer import load_tokenizer, train_tokenizer, train_wordpiece
from dewpoint.data.tokens import Texts, TokenStore, assemble, batches, input_lengths, ragged_range, write_tokens
from dewpoint.errors import UserError
from models.families import pieces
from programs import call, prepare, tables
from ragged import SPECIAL, padded, ragged

TOKENS = st.lists(st.integers(1, 99), max_size=12)


def slow_input(texts: list[list[int]], length: int, start: list[int], apart: bool) -> list[int]:
    """[CLS] prefix text [SEP] …: all but the last text at most half of what is left, the last what fits."""
    ids = list(start)
    for text in texts[:-1]:
        text = text[: (length - len(ids)) // 2]
        ids += [*text, SPECIAL["sep"]] if text and apart else text
    ids += texts[-1][: length - len(ids) - 1]
    return ids if ids[-1:] == [SPECIAL["sep"]] else [*ids, SPECIAL["sep"]]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(1, 2), st.integers(7, 20), st.lists(st.integers(1, 99), max_size=3), *[st.booleans()] * 2)
def test_inputs_equal_slow_ones(data, segments, length, prefix, apart, opened):
    """With a [CLS] and without one."""
    special = SPECIAL if opened else SPECIAL | {"cls": None}
    start = [SPECIAL["cls"], *prefix] if opened else prefix
    texts = data.draw(st.lists(st.tuples(*[TOKENS] * segments), min_size=1, max_size=6))
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=8))
    columns = [ragged([list(text[part]) for text in texts]) for part in range(segments)]
    cut = Texts(columns, length, prefix, apart, leading=int(opened))[np.array(rows, np.int64)]
    ids = assemble(cut, special)
    assert ids.tolist() == padded([slow_input(texts[row], length, start, apart) for row in rows])
    assert ids.shape[1] <= length
    assert input_lengths(cut, special).tolist() == [int((row != SPECIAL["pad"]).sum()) for row in ids]


@settings(max_examples=100, deadline=None)
@given(st.lists(TOKENS, min_size=1, max_size=6), st.integers(7, 20), st.lists(st.integers(1, 99), max_size=3))
def test_what_is_filled_up_has_masks_behind_the_end(texts, length, prefix):
    made = Texts([ragged(texts)], length, prefix, fill=SPECIAL["mask"])[np.arange(len(texts))]
    expected = [slow_input([text], length, [SPECIAL["cls"], *prefix], True) for text in texts]
    expected = [ids + [SPECIAL["mask"]] * (length - len(ids)) for ids in expected]
    assert assemble(made, SPECIAL).tolist() == expected
    assert input_lengths(made, SPECIAL).tolist() == [length] * len(texts)
    rows = np.array([0, len(texts) - 1])
    assert assemble([part[rows] for part in made], SPECIAL).tolist() == [expected[row] for row in rows]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(TOKENS, min_size=1, max_size=6),
    st.integers(3, 14),
    st.lists(st.integers(200, 299), max_size=3),
    *[st.booleans()] * 2,
)
def test_queries_cut_from_the_left_keep_their_last_tokens(texts, length, prefix, opened, filled):
    """And the prefix, the special tokens and the length that queries have which are cut from the right."""
    special = SPECIAL if opened else SPECIAL | {"cls": None}
    start, prefix = [SPECIAL["cls"]] * opened, prefix[: length - 2 - opened]
    room, fill = length - len(start) - len(prefix) - 1, SPECIAL["mask"] if filled else None
    read = partial(Texts, [ragged(texts)], length, prefix, leading=int(opened), fill=fill)
    made, other = (read(cut=cut)[np.arange(len(texts))] for cut in ("left", "right"))
    expected = [[*start, *prefix, *text[max(0, len(text) - room) :], SPECIAL["sep"]] for text in texts]
    if filled:
        expected = [ids + [SPECIAL["mask"]] * (length - len(ids)) for ids in expected]
    assert assemble(made, special).tolist() == padded(expected)
    lengths = list(map(len, expected))
    assert input_lengths(made, special).tolist() == input_lengths(other, special).tolist() == lengths
    assert max(lengths) <= length


@given(st.lists(st.integers(0, 5)))
def test_ragged_range(counts):
    row, column = ragged_range(np.array(counts, np.int64))
    assert list(zip(row.tolist(), column.tolist(), strict=True)) == [
        (r, c) for r, n in enumerate(counts) for c in range(n)
    ]


@given(st.lists(st.integers(2, 40), max_size=60), st.integers(1, 200))
def test_batches_hold_every_row_once_and_keep_the_budget(lengths, budget):
    lengths = np.array(lengths, np.int64)
    made = list(batches(lengths, budget))
    assert sorted(row for rows in made for row in rows) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * lengths[rows].max() <= budget for rows in made)
    inorder = np.concatenate([lengths[rows] for rows in made]) if made else lengths
    assert (np.diff(inorder) >= 0).all()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A dataset whose texts are odd, tokenised by the programs."""
    folder = tmp_path_factory.mktemp("stored")
    words = [
        "alpha",
        "beta",
        "gamma rays",
        "",
        "naïve café",
        "日本語",
        "alphabet  soup\tof",
        "[SEP] [CLS]",
        "e = mc²",
        "🙂",
    ]
    corpus = "id\ttitle\ttext\n" + "".join(f"p{i}\t{words[-1 - i]}\t{word}\n" for i, word in enumerate(words))
    corpus = corpus.replace("\tof", " of")
    queries = "id\ttext\n" + "".join(f"q{i}\t{word}?\n" for i, word in enumerate(reversed(words))).replace(
        "\tof", " of"
    )
    files = {"corpus.tsv": corpus, "queries.tsv": queries, "judgements.csv": "query,passage\nq0,p0\n"}
    dataset = prepare(folder, tables(folder, files))
    tokenizer = call(
        "tokenizer", folder / "tokenizer/manifest.json", {"family": "bert", "vocabulary": 80}, dataset=dataset
    )
    tokens = call("tokenize_texts", folder / "tokens/manifest.json", {}, dataset=dataset, tokenizer=tokenizer)
    return Dataset(dataset), tokenizer.parent, TokenStore(tokens)


def test_the_store_holds_what_the_tokenizer_says_row_by_row(stored):
    from transformers import AutoTokenizer

    dataset, folder, store = stored
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert store.vocabulary == len(tokenizer) == 80
    assert store.special == {name: tokenizer.convert_tokens_to_ids(f"[{name.upper()}]") for name in SPECIAL}
    for table, column in [("corpus", "title"), ("corpus", "text"), ("queries.test", "text")]:
        texts, tokens = dataset.column(table, column).to_pylist(), store.column(table, column)
        expected = tokenizer(texts, add_special_tokens=False)["input_ids"]
        starts = zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)
        assert [tokens.values[start:end].tolist() for start, end in starts] == expected


def test_a_small_vocabulary_takes_two_bytes_a_token_memory_mapped(stored):
    _, _, store = stored
    for column in ("title", "text"):
        values = store.column("corpus", column).values
        assert values.dtype == np.uint16 and isinstance(values, np.memmap)


SENTENCES = {
    "One. Two! Three? Four": ["One.", "Two!", "Three?", "Four"],
    'He said "no." Then 3.14 or e.g this.': ['He said "no."', "Then 3.14 or e.g this."],
    "no end": ["no end"],
    "a line\n\nanother paragraph. ": ["a line", "another paragraph."],
    "": [],
    "日本語。また": ["日本語。", "また"],
}


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_sentences_start_where_the_text_says(tmp_path, monkeypatch, family, batch):
    """The store's sentences, read back as text; however many texts are tokenised at once."""
    monkeypatch.setattr("dewpoint.data.tokens.BATCH", batch)
    writer = DatasetWriter(data := Artifact(tmp_path / "data" / "manifest.json"))
    for number, text in enumerate(SENTENCES):
        writer.passage("", f"p{number}", text)
    writer.finish()
    data.seal()
    tokenizer = train_tokenizer(family, lambda: [list(SENTENCES)], 400)
    write_tokens(Dataset(data.manifest), tokenizer, tokens := Artifact(tmp_path / "tokens" / "manifest.json"))
    tokens.seal()
    store = TokenStore(tokens.manifest)
    texts = store.column("corpus")
    starts = [*store.sentences().tolist(), len(texts.values)]
    sentences = [texts.values[a:b].tolist() for a, b in pairwise(starts)]
    expected = [sentence for text in SENTENCES.values() for sentence in text]
    read = [tokenizer.decode(ids).strip() for ids in sentences]
    plain = [tokenizer.decode(tokenizer(s, add_special_tokens=False)["input_ids"]).strip() for s in expected]
    assert read == plain
    assert [len(ids) for ids in sentences if not ids] == []


def test_an_input_equals_the_tokenizers_own(stored):
    """A title-less passage and a query are what the tokenizer's own template gives."""
    from transformers import AutoTokenizer

    dataset, folder, store = stored
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = dataset.column("queries.test", "text").to_pylist()
    ours = assemble(store.queries("test", 8)[np.arange(len(texts))], store.special)
    theirs = tokenizer(texts, max_length=8, truncation=True, padding="longest")["input_ids"]
    assert ours.tolist() == theirs


def test_a_tokenizer_may_have_an_end_alone(tmp_path):
    """Passages with titles and queries are what its own template gives, cut at the same token."""
    passages = [("", "the dew point of warm air"), ("Glass", "is cold. Grass is, too"), ("River", "")]
    writer = DatasetWriter(data := Artifact(tmp_path / "data" / "manifest.json"))
    for number, (title, text) in enumerate(passages):
        writer.passage("", f"p{number}", text, title)
        writer.query("", "test", f"q{number}", text or title)
    writer.finish()
    data.seal()
    pieces([word for passage in passages for word in passage] * 9).save_pretrained(tmp_path / "words")
    tokenizer = load_tokenizer(tmp_path / "words")
    write_tokens(Dataset(data.manifest), tokenizer, tokens := Artifact(tmp_path / "tokens" / "manifest.json"))
    tokens.seal()
    store = TokenStore(tokens.manifest)
    rows = np.arange(len(passages))
    for length in (5, 64):
        queries = [text or title for title, text in passages]
        theirs = tokenizer(queries, max_length=length, truncation=True, padding="longest")["input_ids"]
        assert assemble(store.queries("test", length)[rows], store.special).tolist() == theirs
    pairs = [[part for part in passage if part] for passage in passages]
    theirs = padded([tokenizer(*pair)["input_ids"] for pair in pairs])
    assert assemble(store.passages(64)[rows], store.special).tolist() == theirs
    with pytest.raises(UserError, match="words cannot be masked: the tokenizer has no cls, mask token"):
        WordMasker(store.special, np.zeros(store.vocabulary, bool))


def test_a_tokenizer_without_an_end_or_a_padding_is_refused(tmp_path):
    words = Tokenizer(models.WordLevel({"dew": 0, "<unk>": 1}, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(tmp_path)
    with pytest.raises(UserError, match=rf"^{tmp_path}: its tokenizer has no sep, pad token$"):
        load_tokenizer(tmp_path)


def test_the_vocabulary_has_the_size_that_was_asked_for():
    tokenizer = train_wordpiece(lambda: iter([["some words of a text", "and more words"]]), 40)
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))
    assert tokenizer.get_vocab()["[PAD]"] == 0


TEXTS = st.text("ab cd.é", min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(2, 4), st.booleans())
def test_examples_are_read_back_by_position(tmp_path_factory, data, count, with_corpus):
    """Each text is what the tokenizer says, cut like any other; with a corpus and without one."""
    rows = data.draw(st.lists(st.tuples(*[TEXTS] * count), min_size=1, max_size=9))
    folder = tmp_path_factory.mktemp("examples")
    writer = DatasetWriter(made := Artifact(folder / "data" / "manifest.json"))
    if with_corpus:
        writer.passage("", "p", "One. Two.")
    for row in rows:
        writer.example("", "train", row)
    writer.example("", "dev", ("a", "b"))
    writer.finish()
    made.seal()
    tokenizer = train_tokenizer("bert", lambda: [["abcd. cd ab é"]], 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dewpoint.data.tokens.BATCH", 4)
        write_tokens(Dataset(made.manifest), tokenizer, tokens := Artifact(folder / "tokens" / "manifest.json"))
    tokens.seal()
    store = TokenStore(tokens.manifest)
    assert (folder / "tokens/corpus.sentences.npy").exists() == with_corpus
    positions = store.examples("train", 7, [5])
    assert [len(texts) for texts in positions] == [len(rows)] * count
    picked = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=5)))
    for position, texts in enumerate(positions):
        expected = tokenizer([rows[row][position] for row in picked], add_special_tokens=False)["input_ids"]
        ids = assemble(texts[picked], store.special)
        assert [[token for token in row if token != store.special["pad"]] for row in ids.tolist()] == [
            [store.special["cls"], 5, *text[:4], store.special["sep"]] for text in expected
        ]
    with pytest.raises(UserError, match=r"tokens/manifest.json: no examples of split 'test'; there is train, dev$"):
        store.examples("test", 8)
