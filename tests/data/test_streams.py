"""Streams: pure functions of seed and step, every row once an epoch, windows and spans within their documents."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.data.streams import Blocks, Epochs, SpanPairs
from dewpoint.errors import UserError
from ragged import SPECIAL, numbered

LENGTHS = st.lists(st.integers(0, 60), min_size=1, max_size=12)


def pieces(ids):
    """The tokens of each row without its special ones, which stand where they should."""
    rows = [[token for token in row if token != SPECIAL["pad"]] for row in ids.tolist()]
    assert all(row[0] == SPECIAL["cls"] and row[-1] == SPECIAL["sep"] for row in rows)
    return [row[1:-1] for row in rows]


def document_of(piece, documents):
    """The document that a piece is a contiguous part of."""
    assert piece == list(range(piece[0], piece[0] + len(piece)))
    first, last = np.searchsorted(
        documents.offsets - documents.offsets[0] + documents.values[0], [piece[0], piece[-1]], "right"
    )
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


@settings(max_examples=60, deadline=None)
@given(LENGTHS.filter(any), st.integers(8, 30), st.integers(0, 5))
def test_blocks_lie_within_documents(lengths, length, seed):
    documents = numbered(lengths)
    stream = Blocks(documents, SPECIAL, length, 4, seed)
    times = Counter()
    for step in range(stream.epochs.steps):
        for piece in pieces(stream.batch(step)):
            document = document_of(piece, documents)
            assert len(piece) == min(length - 2, lengths[document])
            times[document] += 1
    assert times == {d: max(1, n // (length - 2)) for d, n in enumerate(lengths) if n}


@settings(max_examples=60, deadline=None)
@given(LENGTHS.filter(lambda lengths: max(lengths) >= 16), st.integers(8, 40), st.integers(0, 5))
def test_siblings_are_disjoint_spans_of_one_document(lengths, length, seed):
    documents = numbered(lengths)
    stream = SpanPairs(documents, SPECIAL, length, 3, seed)
    used = []
    for step in range(stream.epochs.steps):
        spans = pieces(stream.batch(step))
        for first, second in zip(spans[::2], spans[1::2], strict=True):
            assert document_of(first, documents) == document_of(second, documents)
            assert not set(first) & set(second)
            used.append(document_of(first, documents))
            assert len(first) == len(second) == min(lengths[used[-1]] // 2, length - 2)
    assert sorted(used) == [d for d, n in enumerate(lengths) if n >= 16]


def test_spans_come_in_both_orders_and_reach_both_ends():
    stream = SpanPairs(numbered([40] * 400), SPECIAL, 12, 400, 0)
    starts = (np.array(pieces(stream.batch(0)))[:, 0] - 1000).reshape(-1, 2) % 40
    assert 0.4 < (starts[:, 0] < starts[:, 1]).mean() < 0.6
    assert (starts.min(), starts.max()) == (0, 30)


@pytest.mark.parametrize("kind", [Blocks, SpanPairs])
def test_a_batch_depends_on_seed_and_step_alone(kind):
    documents = numbered([50, 90, 30, 200])
    one, two, other = (kind(documents, SPECIAL, 20, 2, seed) for seed in (3, 3, 4))
    for step in (5, 0, 2):
        assert one.batch(step).tolist() == two.batch(step).tolist()
    assert any(one.batch(step).tolist() != other.batch(step).tolist() for step in range(3))
    assert one.batch(0).tolist() != one.batch(one.epochs.steps).tolist()


@pytest.mark.parametrize(("kind", "lengths"), [(Blocks, [0, 0]), (SpanPairs, [15, 3])])
def test_nothing_to_train_on_is_a_mistake(kind, lengths):
    with pytest.raises(UserError, match="nothing to train on"):
        kind(numbered(lengths), SPECIAL, 20, 2, 0)
