"""Pairs: a permutation that is a function, nested parts, sentences against passages and never across documents."""

from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.data.lots import permuted
from dewpoint.data.negatives import Negatives
from dewpoint.data.pair_streams import BodyFirst, InverseCloze, Judged
from dewpoint.data.tokens import Texts, assemble, leading
from dewpoint.errors import UserError
from ragged import SPECIAL, numbered

QUERIES, PASSAGES = 40, 30


@given(st.integers(1, 3000), st.integers(0, 9), st.lists(st.integers(0, 9), max_size=2))
def test_a_permutation_sends_every_number_somewhere_else(count, seed, purpose):
    assert sorted(permuted(np.arange(count), count, seed, *purpose)) == list(range(count))


def test_a_permutation_of_hundreds_of_millions_asks_for_what_is_asked_alone():
    few = permuted(np.array([7, 299_999_999]), 300_000_000, 3, 1)
    many = permuted(np.array([1, 7, 9, 299_999_999]), 300_000_000, 3, 1)
    assert few.tolist() == many[[1, 3]].tolist()


def test_permutations_are_all_equally_likely():
    """A chi-square over the 24 orders of four; 60 is beyond its .9999 quantile."""
    found = Counter(tuple(permuted(np.arange(4), 4, seed, 5).tolist()) for seed in range(4800))
    assert len(found) == 24
    assert sum((count - 200) ** 2 / 200 for count in found.values()) < 60


# --- a dataset's own pairs ----------------------------------------------------------------------


def dataset(pairs, mapped: bool):
    """What the stream asks of a dataset, of pairs (query, passage)."""
    columns = np.array(pairs, np.int32).reshape(-1, 2).T
    return SimpleNamespace(
        is_paired=lambda split: mapped,
        paired=lambda split: columns[1],
        positives=lambda split: (columns[0], columns[1]),
        rows=lambda table: PASSAGES,
    )


def judged(pairs, mapped=False, pools=None, size=4, wanted=0, take=None, seed=0):
    """Passage p is the one token 1000 + p, query q is 2000 + q."""
    settings = SimpleNamespace(
        batch_size=size, negatives_per_query=wanted, seed=seed, split="train", train_pairs=take, steps=10
    )
    negatives = None
    if pools is not None:
        flat = np.array([passage for _, pool in pools for passage in pool], np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(pool) for _, pool in pools])]).astype(np.int64)
        negatives = Negatives(np.array([query for query, _ in pools], np.int64), flat, offsets)
    texts = [Texts([numbered([1] * count, first)], 8) for count, first in ((QUERIES, 2000), (PASSAGES, 1000))]
    return Judged(dataset(pairs, mapped), *texts, negatives, settings)


def read(batch):
    """(query, its passages) of a batch as row numbers."""
    sides = ((batch.queries, 2000), (batch.passages, 1000))
    queries, passages = (assemble(texts, SPECIAL)[:, 1] - first for texts, first in sides)
    return [*zip(queries.tolist(), passages.reshape(len(queries), -1).tolist(), strict=True)]


ONE_EACH = [(query, query * 7 % PASSAGES) for query in range(QUERIES)]
PAIRS = st.sets(st.tuples(st.integers(0, QUERIES - 1), st.integers(0, PASSAGES - 1)), min_size=1, max_size=30)


def epoch_of(stream, steps):
    return [(query, passages[0]) for step in steps for query, passages in read(stream.batch(step))]


@given(PAIRS, st.integers(1, 7), st.integers(0, 3))
def test_an_epoch_has_every_pair_once_also_where_a_batch_is_of_two(pairs, size, seed):
    stream, total = judged(sorted(pairs), size=size, seed=seed), len(pairs)
    seen = epoch_of(stream, range(-(-3 * total // size)))
    for epoch in range(3):
        assert sorted(seen[epoch * total : (epoch + 1) * total]) == sorted(pairs)


def test_mapped_pairs_are_the_same_pairs():
    for take in (None, 11):
        listed, mapped = judged(ONE_EACH, take=take), judged(ONE_EACH, mapped=True, take=take)
        for step in range(12):
            assert read(listed.batch(step)) == read(mapped.batch(step))
            for name, known in listed.batch(step).known.items():
                assert known.tolist() == mapped.batch(step).known[name].tolist()


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [epoch_of(judged(ONE_EACH, seed=seed), range(at, at + 10)) for seed in (0, 1) for at in (0, 10)]
    assert len({tuple(order) for order in orders}) == 4


@given(st.integers(1, QUERIES), st.integers(1, QUERIES), st.integers(0, 5))
def test_fewer_pairs_are_a_part_of_more(some, others, seed):
    fewer, more = sorted((some, others))
    parts = [set(epoch_of(judged(ONE_EACH, take=take, size=1, seed=seed), range(take))) for take in (fewer, more)]
    assert [len(part) for part in parts] == [fewer, more]
    assert parts[0] <= parts[1]


@given(PAIRS, st.integers(2, 9))
def test_what_belongs_together_is_no_negative(pairs, size):
    batch = judged(sorted(pairs), size=size).batch(0)
    rows = read(batch)
    for row, (query, (positive,)) in enumerate(rows):
        assert batch.known["targets"][row] == row
        assert (query, positive) in pairs
        expected = [(query, other) in pairs and at != row for at, (_, (other,)) in enumerate(rows)]
        assert batch.known["masked"][row].tolist() == expected


def test_negatives_are_the_rankers_in_turn_and_made_up_for():
    """Of two rankers, one has none for odd queries, the other none at all for query 0."""
    pools = [(query, [] if query % 2 else [10, 11, 12]) for query in range(QUERIES)]
    pools += [(query, [20, 21]) for query in range(1, QUERIES)]
    stream, seen = judged(ONE_EACH, pools=pools, wanted=2), {}
    for step in range(6 * QUERIES // 4):
        for query, (_, *negatives) in read(stream.batch(step)):
            seen.setdefault(query, []).append(negatives)
    for query in range(2, QUERIES, 2):
        first, second = seen[query][::2], seen[query][1::2]
        assert first == [[10, 11], [12, 10], [11, 12]]
        assert second == [[20, 21]] * 3
    assert [[20, 21] in visits for visits in (seen[1], seen[0])] == [True, False]
    assert len({tuple(negatives) for negatives in seen[0][1::2]}) > 1  # drawn at random


@pytest.mark.parametrize(
    ("pairs", "take", "message"),
    [([], None, "nothing to train on"), (ONE_EACH, 41, "train_pairs: 41 are wanted, but train has 40")],
)
def test_too_few_pairs(pairs, take, message):
    with pytest.raises(UserError, match=message):
        judged(pairs, take=take)


# --- sentences and their passages ---------------------------------------------------------------

TEXTS = st.lists(  # documents, of passages, of lengths of sentences
    st.lists(st.lists(st.integers(1, 5), max_size=4), min_size=1, max_size=4), min_size=1, max_size=5
)


class Made:
    """A corpus in which every token is one of a kind, and the streams over it."""

    def __init__(self, texts, size=6, keep=0.0, seed=0, title=0, passage_length=100, query_length=100):
        passages = [sentences for document in texts for sentences in document]
        self.document = [number for number, document in enumerate(texts) for _ in document]
        self.tokens = numbered([sum(sentences) for sentences in passages])
        self.sentences, starts = [], []
        for row, sentences in enumerate(passages):
            at = int(self.tokens.offsets[row])
            for length in sentences:
                starts.append(at)
                self.sentences.append((row, [*range(1000 + at, 1000 + at + length)]))
                at += length
        self.passages = [
            [token for row, s in self.sentences if row == at for token in s] for at in range(len(passages))
        ]
        titles = numbered([title] * len(passages), 50_000)
        store = SimpleNamespace(column=lambda table: self.tokens, sentences=lambda: np.array(starts, np.int64))
        data = SimpleNamespace(documents=lambda: np.array(self.document), manifest=Path("d/manifest.json"))
        settings = SimpleNamespace(batch_size=size, keep=keep, seed=seed)

        def queries(texts):
            return Texts([texts], query_length, leading=leading(SPECIAL))

        shown = Texts([titles, self.tokens] if title else [self.tokens], passage_length)
        self.stream = lambda kind: kind(data, store, queries, shown, settings)

    def read(self, batch):
        """(query, passage) of a batch in tokens, special ones left out."""
        sides = (assemble(texts, SPECIAL).tolist() for texts in (batch.queries, batch.passages))
        return [
            tuple([token for token in row if token not in SPECIAL.values()] for row in both)
            for both in zip(*sides, strict=True)
        ]


def alone(made, row):
    return sum(at == row for at, _ in made.sentences) == 1


@given(TEXTS, st.integers(0, 3), st.sampled_from([0.0, 1.0]))
def test_inverse_cloze_is_a_sentence_and_the_rest_of_its_passage(texts, seed, keep):
    made = Made(texts, keep=keep, seed=seed)
    wanted = {tuple(sentence): row for row, sentence in made.sentences if not alone(made, row)}
    if not wanted:
        with pytest.raises(UserError, match=r"^d: nothing to train on; no passage has two sentences"):
            made.stream(InverseCloze)
        return
    stream = made.stream(InverseCloze)
    for step in range(3):
        batch = stream.batch(step)
        pairs = made.read(batch)
        rows = [wanted[tuple(query)] for query, _ in pairs]
        for (query, passage), row in zip(pairs, rows, strict=True):
            rest = [token for token in made.passages[row] if keep or token not in query]
            assert passage == rest
        same = [[at != other and rows[at] == rows[other] for other in range(len(rows))] for at in range(len(rows))]
        assert batch.known["masked"].tolist() == same


@given(TEXTS, st.integers(0, 3))
def test_body_first_is_a_sentence_and_its_documents_first_passage(texts, seed):
    made = Made(texts, seed=seed)
    first = {document: made.document.index(document) for document in made.document}
    head = [first[document] for document in made.document]
    wanted = {
        tuple(sentence): head[row] for row, sentence in made.sentences if head[row] != row and made.passages[head[row]]
    }
    if not wanted:
        with pytest.raises(UserError, match=r"^d: nothing to train on; no document has two passages"):
            made.stream(BodyFirst)
        return
    for query, passage in made.read(made.stream(BodyFirst).batch(0)):
        assert passage == made.passages[wanted[tuple(query)]]


SEVERAL = [[[2, 3, 1], [4], [1, 1]], [[2, 2], []], [[5, 1, 2, 3]]]


@pytest.mark.parametrize("kind", [InverseCloze, BodyFirst])
def test_every_sentence_that_will_do_is_equally_likely(kind):
    """A chi-square at one seed; 45 is beyond the .9999 quantile of 11 degrees of freedom."""
    made = Made(SEVERAL, size=600)
    stream, found = made.stream(kind), Counter()
    for step in range(20):
        found.update(tuple(query) for query, _ in made.read(stream.batch(step)))
    heads = {0, 3, 5}
    expected = {
        tuple(sentence)
        for row, sentence in made.sentences
        if (row not in heads if kind is BodyFirst else not alone(made, row))
    }
    assert set(found) == expected
    each = 12_000 / len(expected)
    assert sum((count - each) ** 2 / each for count in found.values()) < 45


def test_a_sentence_is_kept_in_its_share_of_the_cases():
    made, kept = Made(SEVERAL, size=500, keep=0.3), 0
    stream = made.stream(InverseCloze)
    for step in range(20):
        kept += sum(set(query) <= set(passage) for query, passage in made.read(stream.batch(step)))
    assert abs(kept / 10_000 - 0.3) < 4 * (0.3 * 0.7 / 10_000) ** 0.5


def test_what_is_too_long_is_cut_after_the_sentence_is_taken_out():
    """[CLS] and [SEP] are of the length, and a title stands before."""
    made = Made([[[10, 6, 20]]], size=40, title=2, passage_length=20, query_length=7)
    for query, passage in made.read(made.stream(InverseCloze).batch(0)):
        sentence = next(tokens for _, tokens in made.sentences if tokens[:5] == query)
        rest = [token for token in made.passages[0] if token not in sentence]
        assert passage == [50_000, 50_001, *rest[:15]]


def test_a_step_is_the_same_whoever_asks_and_when():
    for make in (partial(Made(SEVERAL).stream, InverseCloze), partial(judged, ONE_EACH, pools=[(0, [1])], wanted=1)):
        one, other = make(), make()
        [other.batch(step) for step in (5, 2)]
        for step in (2, 3, 5):
            batches = one.batch(step), other.batch(step)
            for side in ("queries", "passages"):
                ids = [assemble(getattr(batch, side), SPECIAL).tolist() for batch in batches]
                assert ids[0] == ids[1]
        assert assemble(one.batch(2).queries, SPECIAL).tolist() != assemble(one.batch(3).queries, SPECIAL).tolist()
