"""Whole-word masking: the budget as a slow sequential reading spends it, 80/10/10, never a special token."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.data.masking import RATE, mask_words
from ragged import SPECIAL, padded

VOCABULARY = 200
CONTINUES = np.arange(VOCABULARY) >= 150  # tokens from 150 on go on the word before
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


def slow_where(ids: np.ndarray, rng: np.random.Generator) -> list[list[bool]]:
    """One row after the other, one word after the other in the order of the same lots, while the budget lasts."""
    rows = [words_of(row) for row in ids.tolist()]
    lots = rng.random((len(ids), max(1, *map(len, rows))))
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
    masked, where = mask_words(ids, SPECIAL, CONTINUES, np.random.default_rng(seed))
    assert where.tolist() == slow_where(ids, np.random.default_rng(seed))
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
    masked, where = mask_words(ids, SPECIAL, CONTINUES, rng)
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
    _, where = mask_words(ids, SPECIAL, CONTINUES, np.random.default_rng(1))
    assert np.allclose(where[:, 1:-1].mean(axis=0), 3 / 20, atol=0.025)


def test_a_row_without_words_stays():
    ids = np.array([[SPECIAL["cls"], SPECIAL["sep"], 0], [SPECIAL["cls"], 7, SPECIAL["sep"]]])
    _, where = mask_words(ids, SPECIAL, CONTINUES, np.random.default_rng(0))
    assert where.tolist() == [[False] * 3, [False, True, False]]
