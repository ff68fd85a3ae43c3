"""Several datasets as one, and grades from which passages count."""

import numpy as np
import pytest

from dewpoint.data.dataset import Dataset
from programs import beir, prepare, tables, write_files

OTHER = {
    "corpus.csv": "id,text,title\np1,uno,Uno\n",
    "queries.csv": "id,text,answers\nq1,primo?,uno\n",
    "judgements.csv": "query,passage,grade\nq1,p1,3\n",
}


@pytest.fixture
def parts(tmp_path):
    """Two datasets that use the same ids."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    write_files(tmp_path / "b", OTHER)
    return prepare(tmp_path, beir(tmp_path / "a"), "A"), prepare(tmp_path, tables(tmp_path / "b", OTHER), "B")


def rows(manifest, split="test"):
    """(query, passage, grade) as texts, with titles and answers."""
    data = Dataset(manifest)
    passages, queries = (data.column(table, "text").to_pylist() for table in ("corpus", f"queries.{split}"))
    titles, answers = data.column("corpus", "title").to_pylist(), data.column(f"queries.{split}", "answers").to_pylist()
    judged = zip(*(column.tolist() for column in data.judgements(split)), strict=True)
    return [(queries[q], answers[q], titles[p], passages[p], grade) for q, p, grade in judged]


def test_a_union_has_what_its_parts_have(parts, tmp_path):
    joined = prepare(tmp_path, {"source": "union", "of": ["a", "b"]}, "both", list(parts))
    assert rows(joined) == [row for part in parts for row in rows(part)]
    data = Dataset(joined)
    assert data.column("corpus", "id").to_pylist() == ["a:p1", "a:p2", "b:p1"]
    assert data.column("queries.test", "id").to_pylist() == ["a:q1", "a:q2", "b:q1"]
    assert len(np.unique(data.documents())) == sum(len(np.unique(Dataset(part).documents())) for part in parts)


def test_parts_that_count_from_different_grades_are_refused(parts, tmp_path):
    other = prepare(tmp_path, tables(tmp_path / "b", OTHER) | {"relevant": 2}, "C")
    with pytest.raises(SystemExit) as exit:
        prepare(tmp_path, {"source": "union", "of": ["a", "c"]}, "both", [parts[0], other])
    assert str(exit.value) == f"error: {other}: test counts from grade 2, in others from another one"


def test_a_grade_from_which_passages_count_in_any_source(tmp_path):
    (tmp_path / "a").mkdir()
    all_of, high = (prepare(tmp_path, beir(tmp_path / "a") | more, str(more)) for more in ({}, {"relevant": 2}))
    assert [len(Dataset(one).positives("test")[0]) for one in (all_of, high)] == [2, 1]
    assert Dataset(high).relevant("test") == 2
