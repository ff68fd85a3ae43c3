"""A look into a dataset: its first passages, and queries with what is judged relevant to them, read anew by pandas."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dewpoint.data.dataset import CORPUS, JUDGEMENTS, QUERIES
from dewpoint.report.sample import LONGEST, sample


@pytest.fixture
def dataset(tmp_path):
    """40 passages in groups of 7, the last one long; query q is judged of passage 3 q, and higher of 39 - q."""
    rows = [{"id": f"p{n}", "title": f"t{n}" if n % 2 else "", "text": f"text {n}", "document": "d"} for n in range(40)]
    rows[39]["text"] = "word " * 500
    pq.write_table(pa.Table.from_pylist(rows, CORPUS), tmp_path / "corpus.parquet", row_group_size=7)
    queries = [{"id": f"q{n}", "text": f"question {n}", "answers": ["yes"] * n} for n in range(9)]
    pq.write_table(pa.Table.from_pylist(queries, QUERIES), tmp_path / "queries.test.parquet")
    judged = [(query, passage, grade) for query in range(1, 9) for passage, grade in ((3 * query, 1), (39 - query, 2))]
    judged = [(0, 5, 0.0), *judged]
    columns = [dict(zip(("query", "passage", "grade"), one, strict=True)) for one in judged]
    pq.write_table(pa.Table.from_pylist(columns, JUDGEMENTS), tmp_path / "judgements.test.parquet")
    return tmp_path


def test_passages_are_the_first_and_queries_have_their_best_judged(dataset):
    """By a plain join; a query that only has what is not relevant is passed over."""
    found = sample(dataset, ["dev", "test", "train"])
    corpus, judged = pd.read_parquet(dataset / "corpus.parquet"), pd.read_parquet(dataset / "judgements.test.parquet")
    assert [(one.id, one.title, one.text) for one in found.passages] == [
        tuple(row) for row in corpus[["id", "title", "text"]].head(3).itertuples(index=False)
    ]
    relevant = judged[judged["grade"] > 0].sort_values("grade", ascending=False).drop_duplicates("query")
    best = dict(zip(relevant["query"], relevant["passage"], strict=True))
    assert found.split == "test" and [query.id for query in found.queries] == ["q1", "q2"]
    for row, query in zip((1, 2), found.queries, strict=True):
        assert query.passage.id == corpus["id"][best[row]] and query.answers == ["yes"] * row


def test_long_texts_are_cut(dataset):
    judged = pa.Table.from_pylist([{"query": 0, "passage": 39, "grade": 1.0}], JUDGEMENTS)
    pq.write_table(judged, dataset / "judgements.test.parquet")
    (query,) = sample(dataset, ["test"]).queries
    assert query.passage.text.endswith(" …") and len(query.passage.text) <= LONGEST + 2


def test_without_queries_judgements_or_passages(dataset):
    (dataset / "judgements.test.parquet").unlink()
    assert [(query.id, query.passage) for query in sample(dataset, ["test"]).queries] == [("q0", None), ("q1", None)]
    assert sample(dataset, ["dev"]).queries == [] and len(sample(dataset, []).passages) == 3
    (dataset / "corpus.parquet").unlink()
    assert sample(dataset, ["test"]) is None
