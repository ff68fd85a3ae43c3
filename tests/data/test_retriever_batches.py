"""A retriever's batches: which passages stand beside a query, and which of them count as negatives."""

from functools import partial
from itertools import chain, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.batches import random
from dewpoint.data.instances import RetrieverBatches, pick_queries
from dewpoint.data.negatives import Negatives
from dewpoint.data.tokens import Texts, assemble
from dewpoint.errors import UserError
from ragged import SPECIAL, numbered, ragged

QUERIES, PASSAGES = 6, 30
JUDGED = {0: [3], 1: [4, 9, 11], 2: [3, 5], 4: [29], 5: [0, 1]}
POOLS = [(0, [10, 12, 14, 16, 18]), (1, [2, 6]), (2, []), (3, [7, 8]), (4, [20, 21, 22]), (0, [25, 26, 27]), (5, [13])]


def stream(
    pools=POOLS,
    judged=JUDGED,
    size=3,
    wanted=2,
    seed=0,
    in_batch=True,
    positives="rotating",
    queries=None,
    compose=None,
    teacher=None,
):
    """Passage p is the one token 1000 + p, query q is 2000 + q."""
    pairs = np.array([(query, passage) for query, passages in judged.items() for passage in passages]).reshape(-1, 2)
    flat = np.array([passage for _, pool in pools or [] for passage in pool], np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(pool) for _, pool in pools or []])]).astype(np.int64)
    negatives = Negatives(np.array([query for query, _ in pools or []], np.int64), flat, offsets)
    settings = SimpleNamespace(
        batch_size=size, negatives_per_query=wanted, seed=seed, in_batch=in_batch, positives=positives, split="train"
    )
    passages = Texts([ragged([[]] * PASSAGES), numbered([1] * PASSAGES, 1000)], 8)
    judged = pairs[::-1, 0].astype(np.int32), pairs[::-1, 1].astype(np.int32)
    chosen = pick_queries(judged[0], queries, np.zeros(0, int), seed)
    negatives = None if pools is None else negatives
    asked, compose = Texts([numbered([1] * QUERIES, 2000)], 8), compose or partial(random.work, settings=None)
    return RetrieverBatches(asked, passages, judged, negatives, chosen, settings, compose, teacher)


def read(batch):
    """(queries, passages of each) of a batch as row numbers."""
    sides = ((batch.queries, 2000), (batch.passages, 1000))
    queries, passages = (assemble(texts, SPECIAL)[:, 1] - first for texts, first in sides)
    return queries.tolist(), passages.reshape(len(queries), -1).tolist()


def instances(made, epoch):
    """(query, positive, negatives) of an epoch."""
    steps = range(epoch * made.epochs.steps, (epoch + 1) * made.epochs.steps)
    return [(q, p[0], p[1:]) for step in steps for q, p in zip(*read(made.batch(step)), strict=True)]


def test_an_epoch_has_every_query_with_a_positive_once_for_each_ranker():
    """Query 3 has no positive, query 0 has two rankers' negatives."""
    made = stream()
    for epoch in range(3):
        assert sorted(query for query, _, _ in instances(made, epoch)) == [0, 0, 1, 2, 4, 5]


def test_the_first_passage_of_a_query_is_the_target_and_judged():
    made = stream()
    for step in range(10):
        batch = made.batch(step)
        queries, passages = read(batch)
        assert batch.known["targets"].tolist() == [3 * row for row in range(len(queries))]
        assert all(passage[0] in JUDGED[query] for query, passage in zip(queries, passages, strict=True))


def test_a_loss_can_know_which_rows_of_the_dataset_it_sees():
    made = stream()
    for step in range(10):
        batch = made.batch(step)
        queries, passages = read(batch)
        assert batch.known["query"].tolist() == queries
        assert batch.known["passage"].tolist() == list(chain.from_iterable(passages))


def test_what_is_judged_relevant_is_no_negative_and_the_target_is_never_masked():
    """Query by query, passage by passage: masked when judged for that query, unless it is the target."""
    made, collisions = stream(size=6, wanted=4), 0
    for step in range(20):
        batch = made.batch(step)
        queries, passages = read(batch)
        flat = list(chain.from_iterable(passages))
        for row, query in enumerate(queries):
            expected = [p in JUDGED[query] and at != batch.known["targets"][row] for at, p in enumerate(flat)]
            assert batch.known["masked"][row].tolist() == expected
            collisions += sum(expected)
    assert collisions > 20  # passages 3 of queries 0 and 2 meet, and topped-up ones


def test_positives_rotate_by_epoch():
    made = stream()
    for query, passages in JUDGED.items():
        seen = [positive for epoch in range(6) for q, positive, _ in instances(made, epoch) if q == query]
        times = 12 // len(passages) if query == 0 else 6 // len(passages)
        assert sorted(seen) == sorted(passages * times)


def test_negatives_go_round_the_pool():
    """In epochs 0, 1, 2, … the pool is read two by two, round and round."""
    made = stream([(0, [10, 12, 14, 16, 18])])
    drawn = [instances(made, epoch)[0][2] for epoch in range(5)]
    assert list(chain.from_iterable(drawn)) == [10, 12, 14, 16, 18, 10, 12, 14, 16, 18]


@pytest.mark.parametrize("wanted", [1, 2, 3, 5])
def test_short_pools_are_topped_up_at_random(wanted):
    made = stream([(1, [2, 6]), (2, []), (4, [20, 21, 22])], wanted=wanted)
    pools = {1: {2, 6}, 2: set(), 4: {20, 21, 22}}
    others = set()
    for epoch in range(12):
        for query, _, negatives in instances(made, epoch):
            assert len(negatives) == wanted
            first = negatives[: min(wanted, len(pools[query]))]
            assert set(first) <= pools[query]
            assert len(set(first)) == len(first)
            others |= set(negatives[len(first) :])
    assert len(others) > 8 and others <= set(range(PASSAGES))


def test_no_pool_at_all_is_random_passages():
    drawn = {
        p for epoch in range(20) for _, _, negatives in instances(stream([(0, []), (1, [])]), epoch) for p in negatives
    }
    assert len(drawn) > 15


def test_a_batch_depends_on_seed_and_step_alone():
    one, two, other = stream(), stream(), stream(seed=1)
    for step in (7, 0, 3):
        assert read(one.batch(step)) == read(two.batch(step))
    assert any(read(one.batch(step)) != read(other.batch(step)) for step in range(3))


def test_no_query_with_a_positive_is_a_mistake():
    with pytest.raises(UserError, match="nothing to train on"):
        stream([(3, [7])])


def test_instances_come_together_as_they_are_composed():
    """Here the highest query first; whoever composes is told each instance's query, the size and the seed."""
    told = []

    class Sorted:
        steps = 2

        def __init__(self, queries, size, seed):
            told.append((queries.tolist(), size, seed))
            self.order, self.size = np.argsort(-queries, kind="stable"), size

        def rows(self, step):
            epoch, at = divmod(step, self.steps)
            return epoch, self.order[at * self.size : (at + 1) * self.size]

    made = stream(size=4, seed=5, compose=Sorted)
    assert told == [([0, 1, 2, 4, 0, 5], 4, 5)]
    for epoch in range(2):
        assert [query for query, _, _ in instances(made, epoch)] == [5, 4, 2, 1, 0, 0]
    assert [len(read(made.batch(step))[0]) for step in range(4)] == [4, 2, 4, 2]


# --- what settings change -----------------------------------------------------------------------


def test_without_negatives_a_query_meets_the_others_positives():
    made = stream(pools=None, wanted=0)
    for epoch in range(2):
        assert sorted(query for query, _, negatives in instances(made, epoch)) == sorted(JUDGED)
        assert all(negatives == [] for _, _, negatives in instances(made, epoch))


def test_without_in_batch_negatives_only_its_own_are_seen():
    made = stream(size=6, wanted=3, in_batch=False)
    for step in range(6):
        batch = made.batch(step)
        queries, passages = read(batch)
        for row, query in enumerate(queries):
            seen = [at for at, masked in enumerate(batch.known["masked"][row]) if not masked]
            own = range(4 * row, 4 * row + 4)
            assert seen == [at for at in own if at == 4 * row or passages[row][at - 4 * row] not in JUDGED[query]]


def test_the_first_positive_is_the_first_judged():
    """`stream` hands the judgements over in reverse."""
    made = stream(positives="first")
    for epoch in range(4):
        assert all(positive == JUDGED[query][-1] for query, positive, _ in instances(made, epoch))


@given(st.sets(st.integers(0, 99), min_size=1), st.data())
def test_fewer_training_queries_are_a_part_of_more(queries, data):
    positives = np.array(sorted(queries) * 2)
    without = np.array(sorted(data.draw(st.sets(st.sampled_from(sorted(queries)), max_size=len(queries) - 1))), int)
    free, seed = sorted(queries - set(without.tolist())), data.draw(st.integers(0, 9))
    chosen = [pick_queries(positives, wanted, without, seed).tolist() for wanted in range(1, len(free) + 1)]
    for wanted, (fewer, more) in enumerate(pairwise([*chosen, free]), 1):
        assert len(fewer) == wanted and set(fewer) <= set(more)
    assert chosen[-1] == free == pick_queries(positives, None, without, seed).tolist()
    with pytest.raises(UserError, match=f"train_queries: {len(free) + 1} are wanted, but only {len(free)} queries"):
        pick_queries(positives, len(free) + 1, without, seed)


def test_all_queries_held_out_leave_none_to_train_on():
    with pytest.raises(UserError, match=r"development\.queries: all 3 queries with a positive are held out"):
        pick_queries(np.array([1, 4, 4, 7]), None, np.array([1, 4, 7]), 1)


def test_seeds_choose_other_queries():
    positives = np.arange(1000)
    chosen = [set(pick_queries(positives, 100, np.zeros(0), seed).tolist()) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] and len(chosen[0] & chosen[2]) < 40


def test_what_an_epoch_holds_is_counted():
    """Query 3 has no positive; of the six instances one has no negatives, and one has too few."""
    made = stream(wanted=2)
    drawn = {(2, 2), (5, 1)}  # query 2 has an empty pool, query 5 one negative
    assert made.facts == {
        "queries": 5,
        "instances": 6,
        "instances_without_negatives": 1,
        "random_negatives": sum(missing for _, missing in drawn),
    }
    said = "6 instances of 5 queries an epoch (1 without negatives; 3 random passages make up)"
    assert made.summary == f"{said}; 3 queries and 9 passages a step"
    without = stream(pools=None, wanted=0, size=99)
    assert without.summary == "5 instances of 5 queries an epoch; 5 queries and 5 passages a step"
    assert without.batch(0).known["masked"].shape == (5, 5)
