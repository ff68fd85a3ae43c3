"""A teacher's scores: each pair's is that of the run, and a pair that the run lacks has none."""

import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.test_retriever_batches import JUDGED, PASSAGES, POOLS, QUERIES, read
from data.test_retriever_batches import stream as untaught
from dewpoint.artifact import Artifact
from dewpoint.batches import random
from dewpoint.data import teacher
from dewpoint.data.runs import ranked, write_run
from dewpoint.data.teacher import Teacher
from dewpoint.errors import UserError


def write(folder: Path, pairs: dict[tuple[int, int], float]) -> Path:
    artifact = Artifact(folder / "run.json")
    query, passage = np.array([*pairs], np.int32).reshape(-1, 2).T
    write_run(artifact, ranked(query, passage, np.array([*pairs.values()], np.float32), 10**6))
    artifact.seal()
    return artifact.manifest


SOME = st.dictionaries(st.tuples(st.integers(0, 40), st.integers(0, 12)), st.floats(-9, 9, width=32), max_size=80)


@settings(deadline=None)
@given(SOME, st.sets(st.integers(0, 45), min_size=1), st.data())
def test_a_pairs_score_is_the_runs(tmp_path_factory, pairs, wanted, data):
    """Of wanted queries, in any shape, also of passages that no query has; blocks of queries change nothing."""
    queries = np.array(sorted(wanted))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher, "QUERIES", data.draw(st.sampled_from([1, 7, 100])))
        made = Teacher(write(tmp_path_factory.mktemp("run"), pairs), queries)
    asked = np.array(data.draw(st.lists(st.sampled_from(queries.tolist()), min_size=1, max_size=6)))
    passages = np.array(data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=6)))
    found = made.scores(asked[:, None], passages[None, :])
    assert found.dtype == np.float32 and found.shape == (len(asked), len(passages))
    for row, query in enumerate(asked.tolist()):
        for column, passage in enumerate(passages.tolist()):
            score = pairs.get((query, passage), math.nan)
            assert found[row, column] == score or (np.isnan(found[row, column]) and math.isnan(score))


def taught(folder: Path, pairs: dict[tuple[int, int], float], **changed):
    """The batches of `test_retriever_batches`, with a teacher."""
    run = write(folder, pairs)
    return untaught(compose=partial(random.work, settings=None), teacher=run, **changed)


EVERY = {(query, passage): query + passage / 64 for query in range(QUERIES) for passage in range(PASSAGES)}
DATA = SimpleNamespace(
    column=lambda table, _: np.array([f"{table[0]}{row}" for row in range(QUERIES if table[0] == "q" else PASSAGES)])
)


def test_a_batch_knows_the_teachers_scores_and_what_each_query_brought(tmp_path):
    made = taught(tmp_path, EVERY)
    for step in range(4):
        known = made.batch(step).known
        queries, passages = read(made.batch(step))
        flat = [passage for of_query in passages for passage in of_query]
        assert known["teacher"].tolist() == [[query + passage / 64 for passage in flat] for query in queries]
        rows, own = range(len(queries)), len(passages[0])
        assert known["own"].tolist() == [[at // own == row for at in range(len(flat))] for row in rows]
    assert "teacher" not in untaught().batch(0).known


def test_what_a_run_lacks_is_refused_by_name_and_number(tmp_path):
    """Each pair of a query with its positives or its rankers' negatives once; random passages may have no score."""
    needed = {(query, passage) for query, positives in JUDGED.items() for passage in positives}
    needed |= {(query, passage) for query, pool in POOLS for passage in pool if query in JUDGED}
    assert (3, 7) not in needed  # a query without a positive
    taught(tmp_path / "whole", {pair: EVERY[pair] for pair in needed}).refuse_unscored(DATA)
    lacking = {(1, 2), (4, 29), (0, 27)}
    made = taught(tmp_path / "part", {pair: score for pair, score in EVERY.items() if pair not in lacking})
    with pytest.raises(UserError) as error:
        made.refuse_unscored(DATA)
    assert str(error.value) == (
        f"teacher: run {tmp_path / 'part' / 'run.json'} lacks 3 of {len(needed)} pairs (query 'q0' with passage 'c27' "
        "is the first); it must have each training query's positives and negatives, or say unscored: skipped"
    )


def test_what_is_never_asked_for_may_lack(tmp_path):
    """Other positives than the first, and negatives where a batch has none."""
    first = {(query, passages[-1]) for query, passages in JUDGED.items()}  # they are handed over in reverse
    pairs = {pair: EVERY[pair] for pair in first}
    taught(tmp_path, pairs, positives="first", wanted=0).refuse_unscored(DATA)
    with pytest.raises(UserError, match="lacks 4 of 9 pairs"):
        taught(tmp_path / "all", pairs, wanted=0).refuse_unscored(DATA)


def test_many_pairs_are_looked_up_a_part_at_a_time(tmp_path, monkeypatch):
    lacking = {(0, 12), (5, 13)}
    pairs = {pair: score for pair, score in EVERY.items() if pair not in lacking}
    monkeypatch.setattr(teacher, "PAIRS", 2)
    with pytest.raises(UserError, match=r"lacks 2 of \d+ pairs \(query 'q0' with passage 'c12'"):
        taught(tmp_path, pairs).refuse_unscored(DATA)
