"""Measures of sets of evidence equal what KILT's rules say, by hand and one thing found after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.runs import Run
from dewpoint.errors import UserError
from dewpoint.evaluation.metrics import measure
from programs import call
from stored import store_run

# document: its paragraphs, each with the rows of its passages
CORPUS = {"A": [[0, 1], [2]], "B": [[3]], "C": [[4], [5, 6]], "D": [[7]]}
OF = {row: (doc, number) for doc, parts in CORPUS.items() for number, rows in enumerate(parts) for row in rows}
A, B, C, D = 0, 3, 4, 7  # their first passages; paragraphs are A, 2, B, C, 5, D


def run_of(found):
    rows = [(query, passage) for query, passages in sorted(found.items()) for passage in passages]
    query, passage = (np.array([row[at] for row in rows], np.int32) for at in (0, 1))
    return Run(query, passage, -np.arange(len(rows), dtype=np.float32))


def dataset_of(folder, sets, split="dev"):
    """A query for each list of sets of (document, paragraph)."""
    artifact = Artifact(folder / "data" / "manifest.json")
    writer = DatasetWriter(artifact)
    for document, parts in CORPUS.items():
        for rows in parts:
            writer.cut([(f"p{row}", f"text {row}") for row in rows], document, document)
    for row, of in enumerate(sets):
        writer.query("", split, f"q{row}", "which?", ("x",))
        writer.provenance("", split, row, of)
    writer.query("", "bare", "q", "which?")
    writer.finish()
    artifact.seal()
    return Dataset(artifact.manifest)


def values(folder, sets, found, *metrics):
    return measure(run_of({0: found}), dataset_of(folder, [sets]), "dev", list(metrics)).loc[0].tolist()


METRICS = ("PageSetRprec", "PageSetR@1", "PageSetR@2", "PageSetR@5", "SetRprec", "SetR@1", "SetR@2", "SetR@5")


@pytest.mark.parametrize(
    ("sets", "found", "expected"),
    [
        ([[(A, A)]], [0, 3], [1, 1, 1, 1, 1, 1, 1, 1]),
        ([[(A, A)]], [2, 0], [1, 1, 1, 1, 0, 0, 1, 1]),  # the page at once, its paragraph second
        ([[(A, A)]], [3, 4, 0], [0, 0, 0, 1, 0, 0, 0, 1]),
        ([[(A, A)]], [], [0] * 8),
        ([], [0], [0] * 8),
        ([[(A, A), (B, B)]], [0], [1 / 2, 0, 0, 0, 1 / 2, 0, 0, 0]),  # fewer than R, half of a set
        # both pages, of which the second stands for the set: place 1, for page A gives way
        ([[(A, A), (B, B)]], [0, 3], [1, 1, 1, 1, 1, 1, 1, 1]),
        ([[(A, A), (B, B)]], [0, 4, 3], [1 / 2, 0, 1, 1, 1 / 2, 0, 1, 1]),
        # a page twice is once, in a run as in a set: C, A, B; of paragraphs C, A, 5 (by two passages), B
        ([[(A, A), (B, B)]], [4, 0, 5, 6, 1, 3], [1 / 2, 0, 1, 1, 1 / 2, 0, 0, 1]),
        ([[(A, A), (A, 2)]], [0, 1, 2], [1, 1, 1, 1, 1, 1, 1, 1]),
        # several: the best of them counts for precision, each for recall, D is not found
        ([[(A, A), (B, B)], [(C, C)], [(D, D)]], [4, 0], [1, 1 / 3, 1 / 3, 1 / 3, 1, 1 / 3, 1 / 3, 1 / 3]),
        ([[(A, A), (B, B)], [(C, C)]], [7, 4, 0, 3], [0, 0, 1 / 2, 1, 0, 0, 1 / 2, 1]),
        # equal as pages, two as paragraphs, of which the second is found
        ([[(A, A)], [(A, 2)]], [2], [1, 1, 1, 1, 1, 1 / 2, 1 / 2, 1 / 2]),
        # one in the other: A ends one set and holds a place of the other, until B ends that
        ([[(A, A)], [(A, A), (B, B)]], [0, 3], [1, 1 / 2, 1, 1, 1, 1 / 2, 1, 1]),
        # what nobody can find counts in R; what names no paragraph counts for pages alone
        ([[(A, -1)]], [0, 2], [1, 1, 1, 1, 0, 0, 0, 0]),
        ([[(-1, -2), (A, A)]], [0], [1 / 2, 0, 0, 0, 1 / 2, 0, 0, 0]),
        ([[(A, None)]], [0], [1, 1, 1, 1, 0, 0, 0, 0]),
        ([[(A, None), (B, B)]], [3, 0], [1, 1, 1, 1, 1, 0, 0, 0]),
    ],
)
def test_by_hand(tmp_path, sets, found, expected):
    assert values(tmp_path, sets, found, *METRICS) == pytest.approx(expected)


def slow(sets, order, k):
    """R-precision and recall at k of a ranking of keys by a query's sets of keys, one thing after the other."""
    shares = [len({*order[: len(one)]} & {*one}) / len(one) for one in sets]
    different, places = [], []
    for one in sets:
        if set(one) not in different:
            different.append(set(one))
    for at, key in enumerate(order):
        holds = [one for one in different if key in one]
        for one in holds:
            places = [place for place in places if place[0] is not one]
            places.append((one, one <= {*order[: at + 1]}))
        places += [] if holds else [(None, False)]
    whole = sum(done for _, done in places[:k])
    return max(shares, default=0), whole / len(different) if different else 0


PARTS = [(CORPUS[doc][0][0], rows[0]) for doc in CORPUS for rows in CORPUS[doc]] + [(-1, -2), (A, -3)]
EVIDENCE = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3)
QUERY = st.tuples(st.lists(EVIDENCE, max_size=4), st.permutations(range(8)), st.integers(0, 8))


@settings(max_examples=100, deadline=None)
@given(st.lists(QUERY, min_size=1, max_size=4), st.integers(1, 5))
def test_equal_to_one_after_the_other(tmp_path_factory, queries, k):
    folder = tmp_path_factory.mktemp("sets")
    data = dataset_of(folder, [sets for sets, _, _ in queries])
    found = {row: order[:depth] for row, (_, order, depth) in enumerate(queries)}
    measured = measure(run_of(found), data, "dev", ["SetRprec", f"SetR@{k}", "PageSetRprec", f"PageSetR@{k}"])
    assert measured.index.tolist() == [*range(len(queries))]
    for row, (sets, _, _) in enumerate(queries):
        expected = []
        for level in (1, 0):
            first = [CORPUS[doc][0 if level == 0 else part][0] for doc, part in (OF[at] for at in found[row])]
            of_level = [list(dict.fromkeys(one[level] for one in of)) for of in sets]
            expected += slow(of_level, list(dict.fromkeys(first)), k)
        assert measured.loc[row].tolist() == pytest.approx(expected)


def test_all_queries_of_a_split_count_and_other_metrics_stand_beside(tmp_path):
    data = dataset_of(tmp_path, [[[(A, A)]], [], [[(B, B)]]])
    found = measure(run_of({0: [0], 2: [7]}), data, "dev", ["SetRprec", "Hit@1", "PageSetR@3"])
    assert found["SetRprec"].tolist() == [1, 0, 0] and found["PageSetR@3"].tolist() == [1, 0, 0]
    assert found.columns.tolist() == ["SetRprec", "Hit@1", "PageSetR@3"]


def test_a_split_without_sets_is_refused(tmp_path):
    data, run = dataset_of(tmp_path, [[[(A, A)]]]), store_run(tmp_path, "run", run_of({0: [0]}))

    def score(split):
        asked = {"split": split, "metrics": ["SetRprec"]}
        return call("evaluate", tmp_path / "s.json", asked, dataset=data.manifest, run=run)

    assert read_manifest(score("dev"))["facts"] == {"metrics": {"SetRprec": 1.0}, "queries": 1}
    with pytest.raises(SystemExit) as exit:
        score("bare")
    line = "bare has no sets of evidence, so there is no SetRprec; KILT's splits have them"
    assert str(exit.value) == f"error: {tmp_path}/data: {line}"


def test_what_is_written_is_read(tmp_path):
    data = dataset_of(tmp_path, [[[(A, 2), (A, 2), (C, None)], [(-1, -2)]], [], [[(D, D)]]])
    rows = list(zip(*(column.tolist() for column in data.provenance("dev")), strict=True))
    assert rows == [(0, 0, A, 2), (0, 0, C, -(2**31)), (0, 1, -1, -2), (2, 0, D, D)]
    assert data.paragraphs().tolist() == [0, 0, 2, 3, 4, 5, 5, 7]
    assert data.proven_splits == ["dev"]
    assert read_manifest(data.manifest)["facts"]["provenance"] == {"dev": 4}


@pytest.mark.parametrize(
    ("query", "evidence", "message"),
    [
        (2, (A, A), "here: provenance names query row 2, there are 1"),
        (-1, (A, A), "here: provenance names query row -1, there are 1"),
        (0, (A, 1), "here: provenance names passage row 1, where no paragraph begins"),
        (0, (6, 5), "here: provenance names passage row 6, where no paragraph begins"),
        (0, (A, 99), "here: provenance names passage row 99, where no paragraph begins"),
    ],
)
def test_rows_that_are_not_there(tmp_path, query, evidence, message):
    writer = DatasetWriter(Artifact(tmp_path / "manifest.json"))
    for document, parts in CORPUS.items():
        for rows in parts:
            writer.cut([(f"p{row}", "text") for row in rows], document, document)
    writer.query("", "dev", "q", "which?")
    with pytest.raises(UserError) as error:
        writer.provenance("here", "dev", query, [[evidence]])
    assert str(error.value) == message


def test_all_passages_are_cut_from_paragraphs_or_none(tmp_path):
    writer = DatasetWriter(Artifact(tmp_path / "manifest.json"))
    writer.cut([("p0", "text")], "A", "A")
    writer.passage("", "p1", "text")
    with pytest.raises(ValueError, match=r"^1 of 2 passages are cut from paragraphs, not all$"):
        writer.finish()
