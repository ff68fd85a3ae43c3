"""What `make plan` takes a user's files for: of small ones it is exact, of large and compressed ones near."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dewpoint.data import estimates
from dewpoint.data.estimates import about
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from dewpoint.study.load import load_study
from dewpoint.study.sizes import Sizes


@pytest.fixture(autouse=True)
def anew():
    about.cache_clear()


@pytest.mark.parametrize("end", ["\n", ""])
def test_lines_of_a_small_file_are_counted(tmp_path, end):
    (tmp_path / "a.jsonl").write_text("\n".join(["a word or two"] * 7) + end)
    rows, words = about(str(tmp_path / "a.jsonl"))
    assert rows == 7 and 1 < words < 4


def test_a_large_file_goes_on_as_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(estimates, "READ", 1000)
    (tmp_path / "a.tsv").write_text("".join(f"{row:07} some words\n" for row in range(5000)))
    assert about(str(tmp_path / "a.tsv"))[0] == pytest.approx(5000, rel=0.05)


def test_a_compressed_file_is_about_as_long(tmp_path, monkeypatch):
    text = "".join(
        json.dumps({"id": row, "text": f"{row * 7919 % 1000003} {row * 104729 % 999983}"}) + "\n" for row in range(9000)
    )
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert about(str(tmp_path / "a.jsonl.gz"))[0] == 9000
    about.cache_clear()
    monkeypatch.setattr(estimates, "READ", 20_000)
    assert 3000 < about(str(tmp_path / "a.jsonl.gz"))[0] < 27_000


def test_parquet_says_its_rows(tmp_path):
    pq.write_table(pa.table({"text": ["a b"] * 123}), tmp_path / "a.parquet")
    assert about(str(tmp_path / "a.parquet"))[0] == 123


def test_nothing_is_there(tmp_path):
    assert about(str(tmp_path / "none.csv")) == (0, 0.0)


def test_a_plan_knows_own_data_before_it_is_prepared(tmp_path):
    (tmp_path / "b/qrels").mkdir(parents=True)
    (tmp_path / "b/corpus.jsonl").write_text('{"_id": "p", "text": "some"}\n' * 50)
    (tmp_path / "b/queries.jsonl").write_text('{"_id": "q1", "text": "asked"}\n')
    (tmp_path / "b/qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tp\t1\nq1\to\t1\nq2\tp\t1\n")
    for name in "pqj":
        (tmp_path / f"{name}.csv").write_text("id,text\n" + "1,one\n" * 20)
    (tmp_path / "s.yaml").write_text(f"""\
datasets:
  b: {{source: beir, path: {tmp_path}/b}}
  t:
    source: table
    corpus: {{file: {tmp_path}/p.csv}}
    queries: {{test: {{file: {tmp_path}/q.csv}}}}
    judgements: {{test: {{file: {tmp_path}/j.csv}}}}
""")
    sizes = Sizes(Graph(Config(study=str(tmp_path / "s.yaml"), output=str(tmp_path)), load_study(tmp_path / "s.yaml")))
    assert (sizes.passages("b"), sizes.queries("b", "test")) == (50, 2)
    assert (sizes.passages("t"), sizes.queries("t", "test")) == (21, 21)  # the line of names is counted, too
    assert sizes.graph.study.datasets["b"].passage_words() > 1
