"""Ids: the rows that a dictionary would give, whatever they look like."""

import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.data.ids import Ids

ODD = ["", "0", "00", "01", "-1", "+1", " 1", "1 ", "1_0", "٣", "²", "1.0", "D1", "9" * 18, "9" * 19, "9" * 5000]
COUNTING = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda x: [str(x[0] + step) for step in range(x[1])])
ID_LISTS = st.tuples(COUNTING, st.lists(st.one_of(st.sampled_from(ODD), st.integers(0, 70).map(str)))).map(
    lambda parts: parts[0] + parts[1]
)


@given(ID_LISTS, st.lists(st.one_of(st.sampled_from(ODD), st.integers(0, 70).map(str))))
def test_they_are_as_a_dictionary_has_them(added, asked):
    ids, known = Ids(), {}
    for id in added:
        assert ids.add(id) == (id not in known)
        known.setdefault(id, len(known))
        assert len(ids) == len(known)
    assert list(ids) == list(known)
    assert [ids.get(id) for id in added + asked] == [known.get(id) for id in added + asked]
    numbers = np.arange(75)
    assert ids.rows(numbers).tolist() == [known.get(str(number), -1) for number in numbers]


def test_ids_that_count_up_cost_nothing():
    ids = Ids()
    for number in range(100_000):
        assert ids.add(str(7 + number))
    assert sum(map(sys.getsizeof, vars(ids).values())) < 200
