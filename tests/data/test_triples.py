"""Negatives of training triples: a uniform sample that knows nothing of the rows' order."""

import gzip
import random
import re
import tracemalloc
from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.data import triples
from dewpoint.data.triples import sample, scramble, unscramble
from dewpoint.errors import UserError

ROWS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=200)
QUERIES = ["7", "3", "12", "0", "99"]


def write(path, rows, end="\r\n"):
    path.write_bytes(gzip.compress("".join("\t".join(map(str, row)) + end for row in rows).encode()))
    return path


def slowly(rows, queries, kept):
    """(query row, negative) as a dictionary and a sort for each query find them."""
    found = []
    for row, id in enumerate(queries):
        negatives = {negative for query, _, negative in rows if str(query) == id}
        key = scramble(np.array([int(id)], np.uint32))
        places = {negative: int(scramble(np.uint32([negative]) ^ key)[0]) for negative in negatives}
        found += [(row, negative) for negative in sorted(negatives, key=places.get)[:kept]]
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("triples") / "triples.tsv.gz"


@settings(deadline=None)
@given(ROWS, st.integers(1, 6), st.sampled_from([1, 50, 10**6]), st.randoms())
def test_it_is_what_a_slow_computation_keeps_whatever_the_order(file, rows, kept, pending, shuffled):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triples, "PENDING", pending)
        patch.setattr(triples, "BLOCK", 100)
        found = [column.tolist() for column in sample(write(file, rows), QUERIES, kept)]
        assert list(zip(*found, strict=True)) == slowly(rows, QUERIES, kept)
        mixed = [*rows, *rows[:10]]
        shuffled.shuffle(mixed)
        assert [column.tolist() for column in sample(write(file, mixed, "\n"), QUERIES, kept)] == found


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_scrambling_can_be_undone(numbers):
    numbers = np.array(numbers, np.uint32)
    assert (unscramble(scramble(numbers)) == numbers).all()


def test_every_negative_is_as_likely_at_every_place(file):
    queries, negatives, kept = 4000, 20, 5
    rows = [(query, 0, negative) for query in range(queries) for negative in range(negatives)]
    query, negative = sample(write(file, rows), list(map(str, range(queries))), kept)
    assert Counter(query.tolist()) == dict.fromkeys(range(queries), kept)
    for place in range(kept):
        counts = np.bincount(negative[place::kept], minlength=negatives)
        expected = queries / negatives
        assert ((counts - expected) ** 2 / expected).sum() < 43.8  # χ² of 19 degrees of freedom, one in a thousand
    pairs = np.bincount(negative[::kept] * negatives + negative[1::kept], minlength=negatives**2)
    expected = queries / (negatives * (negatives - 1))
    assert (pairs.reshape(negatives, negatives).diagonal() == 0).all()
    assert ((pairs[pairs > 0] - expected) ** 2 / expected).sum() < 480  # 379 degrees of freedom


def test_memory_is_bounded_by_what_is_kept(file, monkeypatch):
    monkeypatch.setattr(triples, "PENDING", 1000)
    monkeypatch.setattr(triples, "BLOCK", 10_000)
    draw = random.Random(1)

    def peak(count):
        rows = ((draw.randrange(20), 0, draw.randrange(10**6)) for _ in range(count))
        write(file, chain(rows))
        tracemalloc.start()
        try:
            sample(file, list(map(str, range(20))), 10)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1000)  # what is made once
    assert peak(200_000) < 1.5 * peak(10_000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            gzip.compress(b"1\t2\t3\n1\t2\n"),
            ": not lines of query, positive, negative (CSV parse error: Row #2: Expected 3",
        ),
        (gzip.compress(b"1\t2\tx\n"), ": not lines of query, positive, negative ("),
        (gzip.compress(b"1\t2\t\n"), ": not lines of query, positive, negative ("),
        (gzip.compress(b"1\t2\t5000000000\n"), ": not lines of query, positive, negative ("),
        (gzip.compress(b"1\t2\t3\n" * 10_000)[:-20], ": not lines of query, positive, negative ("),
        (b"1\t2\t3\n", ": not lines of query, positive, negative ("),
    ],
)
def test_faults(file, content, message):
    file.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(f'{file}{message}')}"):
        sample(file, ["1"], 5)


@pytest.mark.parametrize("id", ["q1", "", "123456789", "-1"])
def test_queries_must_have_numbers(file, id):
    with pytest.raises(UserError, match=f"has queries by numbers of up to 8 digits, but there is a query '{id}'"):
        sample(write(file, [(1, 2, 3)]), ["1", id], 5)


def test_a_file_without_any_of_the_queries(file):
    assert [column.size for column in sample(write(file, [(1, 2, 3)]), ["4"], 5)] == [0, 0]
    assert [column.size for column in sample(write(file, [(10**9, 2, 3)]), ["4"], 5)] == [0, 0]
