"""Streams: pure functions of seed and step; blocks cover documents, spans lie within them and never overlap."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.data.streams import Blocks, Documents, Epochs, SpanPairs, join
from dewpoint.errors import UserError
from ragged import numbered, ragged

LENGTHS = st.lists(st.integers(0, 60), min_size=1, max_size=12)


def documents(lengths, borders=()):
    """Documents in which every token is one of a kind; sentences start with them, and at `borders` of all tokens."""
    tokens = numbered(lengths)
    starts = {int(first) for first, n in zip(tokens.offsets, lengths, strict=False) if n}
    return Documents(tokens, np.array(sorted(starts | {at for at in borders if at < len(tokens.values)}), np.int64))


def everything(made):
    return np.arange(len(made.tokens))


def pieces(batch):
    """The tokens of each row."""
    (slices,) = batch
    return [
        slices.values[start : start + count].tolist() for start, count in zip(slices.starts, slices.counts, strict=True)
    ]


def document_of(piece, tokens):
    """The document that a piece is a contiguous part of."""
    assert piece == list(range(piece[0], piece[0] + len(piece)))
    first, last = np.searchsorted(tokens.offsets + 1000, [piece[0], piece[-1]], "right")
    assert first == last
    return int(first) - 1


@given(st.integers(1, 50), st.integers(1, 20), st.integers(0, 5), st.randoms(use_true_random=False))
def test_every_row_once_an_epoch_wherever_one_looks_first(count, size, seed, random):
    stream = Epochs(count, size, seed)
    seen = {step: stream.rows(step) for step in range(3 * stream.steps)}
    for epoch in range(3):
        rows = np.concatenate([rows for at, rows in seen.values() if at == epoch])
        assert sorted(rows.tolist()) == list(range(count))
    again, steps = Epochs(count, size, seed), list(seen)
    random.shuffle(steps)
    for step in steps:
        assert again.rows(step)[1].tolist() == seen[step][1].tolist()


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [Epochs(100, 100, seed).rows(epoch)[1].tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(map(tuple, orders))) == 4


BORDERS = st.lists(st.integers(0, 400), max_size=60)


@settings(max_examples=100, deadline=None)
@given(LENGTHS.filter(any), BORDERS, st.integers(8, 30), st.integers(0, 5))
def test_every_token_is_in_one_block_an_epoch(lengths, borders, length, seed):
    made = documents(lengths, borders)
    stream = Blocks(made, everything(made), length, 4, seed)
    step = 0
    for epoch in range(3):
        seen = Counter()
        while sum(seen.values()) < sum(lengths):
            rows = pieces(stream.batch(step))
            step += 1
            for piece in rows:
                document_of(piece, made.tokens)
                assert len(piece) <= length - 2
                seen.update(piece)
        assert set(seen.values()) == {1}
        assert stream.first[epoch + 1] == step


@settings(max_examples=100, deadline=None)
@given(LENGTHS.filter(any), BORDERS, st.integers(8, 30), st.integers(0, 5))
def test_a_block_ends_with_a_sentence_unless_one_alone_is_too_long(lengths, borders, length, seed):
    made = documents(lengths, borders)
    stream = Blocks(made, everything(made), length, 1, seed)
    ends = {int(at) + 1000 for at in [*made.sentences, *made.tokens.offsets]}
    while len(stream.first) < 2:
        (piece,) = pieces(stream.batch(0))
    for step in range(stream.first[1]):
        (piece,) = pieces(stream.batch(step))
        if piece[-1] + 1 not in ends:
            assert not ends & set(piece[1:])


def test_one_block_in_ten_is_short_and_the_others_are_full():
    made = documents([100_000], range(100_000))
    stream = Blocks(made, everything(made), 102, 10_000, 3)
    lengths = np.array([len(piece) for piece in pieces(stream.batch(0))])
    short = lengths[lengths < 100]
    assert 0.08 < len(short) / len(lengths) < 0.12
    assert np.histogram(short, bins=4, range=(1, 100))[0].min() > 0.15 * len(short)


def test_blocks_are_cut_afresh_every_epoch():
    made = documents([5000], range(0, 5000, 7))
    stream = Blocks(made, everything(made), 52, 1000, 0)
    first, second = ({piece[0] for piece in pieces(stream.batch(step))} for step in (0, 1))
    assert len(first & second) < 0.5 * len(first)


def test_only_chosen_documents_are_read():
    made = documents([30, 40, 50, 60])
    for kind in (Blocks, SpanPairs):
        stream = kind(made, np.array([1, 3]), 20, 3, 0)
        used = {document_of(piece, made.tokens) for step in range(6) for piece in pieces(stream.batch(step))}
        assert used == {1, 3}


def test_a_share_is_held_out_by_document():
    made = documents([3] * 2000)
    training, held = made.split(0.1)
    assert sorted([*training, *held]) == list(range(2000)) and 140 < len(held) < 260
    assert set(made.split(0.05)[1]) < set(held) and len(made.split(0)[1]) == 0


@settings(max_examples=60, deadline=None)
@given(LENGTHS.filter(lambda lengths: max(lengths) >= 16), st.integers(10, 40), st.integers(0, 5))
def test_siblings_are_disjoint_spans_of_one_document(lengths, length, seed):
    made = documents(lengths)
    stream = SpanPairs(made, everything(made), length, 3, seed)
    used = []
    for step in range(stream.epochs.steps):
        spans = pieces(stream.batch(step))
        for first, second in zip(spans[::2], spans[1::2], strict=True):
            assert document_of(first, made.tokens) == document_of(second, made.tokens)
            assert not set(first) & set(second)
            used.append(document_of(first, made.tokens))
            assert len(first) == len(second) == min(lengths[used[-1]] // 2, length - 2)
    assert sorted(used) == [d for d, n in enumerate(lengths) if n >= 16]


def test_spans_come_in_both_orders_and_reach_both_ends():
    made = documents([40] * 400)
    stream = SpanPairs(made, everything(made), 12, 400, 0)
    starts = (np.array(pieces(stream.batch(0)))[:, 0] - 1000).reshape(-1, 2) % 40
    assert 0.4 < (starts[:, 0] < starts[:, 1]).mean() < 0.6
    assert (starts.min(), starts.max()) == (0, 30)


@pytest.mark.parametrize("kind", [Blocks, SpanPairs])
def test_a_batch_depends_on_seed_and_step_alone(kind):
    made = documents([50, 90, 30, 200], range(0, 370, 5))
    one, two, other = (kind(made, everything(made), 20, 2, seed) for seed in (3, 3, 4))
    for step in (29, 0, 2):
        assert pieces(one.batch(step)) == pieces(two.batch(step))
    assert any(pieces(one.batch(step)) != pieces(other.batch(step)) for step in range(3))


@pytest.mark.parametrize(("kind", "lengths"), [(Blocks, [0, 0]), (SpanPairs, [15, 3])])
def test_nothing_to_train_on_is_a_mistake(kind, lengths):
    made = documents(lengths)
    with pytest.raises(UserError, match="nothing to train on"):
        kind(made, everything(made), 20, 2, 0)


PASSAGES = st.lists(st.tuples(st.lists(st.integers(1, 99), max_size=8), st.integers(0, 3)), min_size=1)


@given(PASSAGES, st.randoms(use_true_random=False))
def test_join_keeps_passage_order_within_a_document(passages, random):
    """Whether the passages of a document lie together (nothing is copied) or not; sentences move along."""
    order = dict.fromkeys(unit for _, unit in passages)
    unit = np.array([list(order).index(unit) for _, unit in passages], np.int64)
    tokens = ragged([tokens for tokens, _ in passages])
    starts = [at for at in range(len(tokens.values)) if at in tokens.offsets[:-1] or random.random() < 0.3]
    joined = join(tokens, np.array(starts, np.int64), unit)
    whole = joined.tokens
    parts = [whole.values[a:b].tolist() for a, b in zip(whole.offsets[:-1], whole.offsets[1:], strict=True)]
    assert parts == [[token for tokens, unit in passages if unit == one for token in tokens] for one in order]
    marked = np.zeros(len(tokens.values), int)
    marked[starts] = 1
    flags = ragged([marked[a:b].tolist() for a, b in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)])
    expected = join(flags, np.zeros(0, np.int64), unit).tokens
    assert np.flatnonzero(expected.values[expected.offsets[0] :]).tolist() == joined.sentences.tolist()


def test_joining_passages_that_lie_together_copies_nothing():
    tokens = numbered([3, 4, 5])
    joined = join(tokens, np.array([0, 3, 7]), np.array([0, 0, 1]))
    assert joined.tokens.values is tokens.values and joined.tokens.offsets.tolist() == [0, 7, 12]
