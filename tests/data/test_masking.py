"""Whole-word masking: the budget as a slow sequential reading spends it, 80/10/10, never a special token."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.data.lots import keys, uniform
from dewpoint.data.masking import RATE, WORDS, WordMasker, continuations
from dewpoint.data.tokenizer import train_bytes, train_wordpiece
from dewpoint.errors import UserError
from ragged import SPECIAL, padded

VOCABULARY = 200
CONTINUES = np.arange(VOCABULARY) >= 150  # tokens from 150 on go on the word before
MASKER = WordMasker(SPECIAL, CONTINUES)
TOKEN = st.integers(1, 199).filter(lambda token: token not in SPECIAL.values())


def words_of(row: list[int]) -> list[list[int]]:
    """Positions of each word; special tokens belong to none, and end a word."""
    words, open = [], False
    for position, token in enumerate(row):
        if token in (SPECIAL["pad"], SPECIAL["cls"], SPECIAL["sep"]):
            open = False
        elif open and CONTINUES[token]:
            words[-1].append(position)
        else:
            words.append([position])
            open = True
    return words


def mask(ids: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return MASKER(ids, keys(seed, 0, np.arange(len(ids))))


def slow_where(ids: np.ndarray, seed: int) -> list[list[bool]]:
    """One row after the other, one word after the other in the order of the same lots, while the budget lasts."""
    rows = [words_of(row) for row in ids.tolist()]
    lots = uniform(keys(seed, 0, np.arange(len(ids))), max(1, *map(len, rows)), WORDS)
    where = np.zeros(ids.shape, bool)
    for number, words in enumerate(rows):
        left = max(1, round(RATE * sum(map(len, words))))
        for _, word in sorted(zip(lots[number], words, strict=False)):
            if len(word) <= left:
                where[number, word] = True
                left -= len(word)
    return where.tolist()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.lists(TOKEN, max_size=40), min_size=1, max_size=2), min_size=2, max_size=5), st.integers(0, 9)
)
def test_words_are_picked_as_a_slow_reading_picks_them(texts, seed):
    sep = SPECIAL["sep"]
    ids = np.array(padded([[SPECIAL["cls"], *(id for part in parts for id in [*part, sep])] for parts in texts]))
    masked, where = mask(ids, seed)
    assert where.tolist() == slow_where(ids, seed)
    assert (masked == ids)[~where].all()
    assert not np.isin(ids[where], [SPECIAL["pad"], SPECIAL["cls"], sep]).any()


def big_batch(rng):
    ids = rng.integers(1, VOCABULARY, (400, 130))
    ids[np.isin(ids, list(SPECIAL.values()))] = 50
    ids[:, 0], ids[:, -1] = SPECIAL["cls"], SPECIAL["sep"]
    return ids


def test_the_rate_and_the_three_fates():
    rng = np.random.default_rng(0)
    ids = big_batch(rng)
    masked, where = mask(ids)
    assert where.sum() / (400 * 128) == np.clip(where.sum() / (400 * 128), 0.145, 0.15)
    assert (where.sum(axis=1) <= round(RATE * 128)).all()
    chosen, before = masked[where], ids[where]
    shares = [(chosen == SPECIAL["mask"]).mean(), (chosen == before).mean()]
    assert np.allclose(shares, [0.8, 0.1], atol=0.015)  # some 7,600 tokens: three standard deviations
    swapped = chosen[(chosen != SPECIAL["mask"]) & (chosen != before)]
    assert not np.isin(swapped, list(SPECIAL.values())).any()
    assert len(np.unique(swapped)) > 0.9 * VOCABULARY


def test_every_word_has_the_same_chance():
    ids = np.tile([SPECIAL["cls"], *range(1, 21), SPECIAL["sep"]], (4000, 1))
    _, where = mask(ids, 1)
    assert np.allclose(where[:, 1:-1].mean(axis=0), 3 / 20, atol=0.025)


def test_a_row_without_words_stays():
    ids = np.array([[SPECIAL["cls"], SPECIAL["sep"], 0], [SPECIAL["cls"], 7, SPECIAL["sep"]]])
    _, where = mask(ids)
    assert where.tolist() == [[False] * 3, [False, True, False]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TOKEN, max_size=30), min_size=2, max_size=6), st.data())
def test_a_rows_masks_depend_on_its_tokens_and_its_key_alone(rows, data):
    """Other rows, their order and the padding that they bring change nothing."""
    ids = np.array(padded([[SPECIAL["cls"], *row, SPECIAL["sep"]] for row in rows]))
    masked, where = mask(ids)
    some = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=4, unique=True)))
    width = max(len(rows[row]) + 2 for row in some)
    again, there = MASKER(ids[some][:, :width], keys(0, 0, some))
    assert (again == masked[some][:, :width]).all() and (there == where[some][:, :width]).all()


def test_seeds_steps_and_rows_have_masks_of_their_own():
    ids = np.tile([SPECIAL["cls"], *range(1, 101), SPECIAL["sep"]], (1, 1))
    chosen = {
        tuple(MASKER(ids, keys(*key, np.array([row])))[1][0]) for key in ((0, 0), (0, 1), (1, 0)) for row in (0, 1)
    }
    assert len(chosen) == 6


def test_lots_are_even_and_unrelated():
    lots = uniform(keys(3, 5, np.arange(2000)), 60, 1)
    counts, _ = np.histogram(lots, bins=50, range=(0, 1))
    expected = lots.size / 50
    assert ((counts - expected) ** 2 / expected).sum() < 90  # chi-squared, 49 degrees: p = .0003
    for a, b in (
        (lots[:, :-1], lots[:, 1:]),
        (lots[:-1], lots[1:]),
        (lots, uniform(keys(3, 6, np.arange(2000)), 60, 1)),
    ):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


TEXTS = ["Unbelievable waterfalls, unbelievable riverbanks.", "Waterfalls and riverbanks; the river's waterfall!"] * 3


def masked_words(tokenizer, text: str, rounds: int = 200) -> set[str]:
    """Every set of characters that was ever masked together as neighbours."""
    special = {name: getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "pad", "mask")}
    encoded = tokenizer(text, return_offsets_mapping=True)
    ids, spans = np.array([encoded["input_ids"]]), encoded["offset_mapping"]
    masker, found = WordMasker(special, continuations(tokenizer)), set()
    for step in range(rounds):
        _, where = masker(ids, keys(0, step, np.arange(1)))
        covered = sorted({place for at in np.flatnonzero(where[0]) for place in range(*spans[at])})
        runs = np.split(covered, np.flatnonzero(np.diff(covered) != 1) + 1)
        found |= {text[run[0] : run[-1] + 1].strip() for run in runs}
    return found


def test_bert_masks_whole_words_and_punctuation_by_itself():
    tokenizer = train_wordpiece(lambda: [TEXTS], 70)
    text = "the unbelievable river is a river and a waterfall, the river"
    assert len(tokenizer.tokenize("unbelievable")) > 1
    assert masked_words(tokenizer, text) <= {*text.replace(",", " ,").split(), "waterfall,", "a waterfall"}


def test_roberta_masks_from_space_to_space():
    tokenizer = train_bytes(lambda: [TEXTS], 290)
    text = "the unbelievable river is a river and a waterfall, the river"
    assert len(tokenizer.tokenize(" unbelievable")) > 1
    words = masked_words(tokenizer, text)
    assert words <= set(text.split()) | {f"{a} {b}" for a, b in zip(text.split(), text.split()[1:], strict=False)}
    assert "waterfall" not in words and "," not in words  # its comma belongs to it


def test_a_vocabulary_without_a_rule_is_refused():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, "[UNK]")))
    with pytest.raises(UserError, match="no rule for its whole words; masking knows WordPiece"):
        continuations(plain)
