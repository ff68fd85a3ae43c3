"""Queries as passages: those of one dataset's split, in their order, searched for by all queries of another."""

import pytest

from dewpoint.artifact import read_manifest
from dewpoint.data.dataset import Dataset
from dewpoint.errors import UserError
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import BEIR, beir, prepare, tables
from sample_study import load

MANY = "".join(f'{{"_id": "m{row}", "text": "asked {row}"}}\n' for row in range(25))
JUDGED = "query-id\tcorpus-id\tscore\n" + "".join(f"m{row}\tp1\t1\n" for row in range(0, 25, 2))
WRITTEN = ("  own:", "  asked: {source: questions, data: d, split: train, queries: own}\n  own:")


@pytest.fixture
def parts(tmp_path):
    """One with the splits test and train, and one with answers."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    texts = {"queries.jsonl": BEIR["queries.jsonl"] + MANY, "qrels/train.tsv": JUDGED}
    theirs = {"corpus.csv": "id,text\np1,uno\n", "queries.csv": "id,text,answers\nq1,primo?,uno\n"}
    theirs |= {"judgements.csv": "query,passage,grade\nq1,p1,1\n"}
    one = prepare(tmp_path, beir(tmp_path / "a", texts), "A")
    return one, prepare(tmp_path, tables(tmp_path / "b", theirs), "B")


def made(tmp_path, files, split="train"):
    settings = {"source": "questions", "data": "a", "split": split, "queries": "b"}
    return prepare(tmp_path, settings, "made", list(files))


def columns(manifest, table, *names):
    data = Dataset(manifest)
    return list(zip(*(data.column(table, name).to_pylist() for name in names), strict=True))


def test_passages_are_the_queries_of_a_split(parts, tmp_path):
    manifest = made(tmp_path, parts)
    expected = columns(parts[0], "queries.train", "id", "text")
    assert len(expected) == 13
    assert columns(manifest, "corpus", "id", "text") == expected
    assert columns(manifest, "corpus", "title", "document") == [("", id) for id, _ in expected]
    kept = "id", "text", "answers"
    assert columns(manifest, "queries.test", *kept) == columns(parts[1], "queries.test", *kept)
    facts = read_manifest(manifest)["facts"]
    assert facts["passages"] == 13 and facts["queries"] == {"test": 1} and facts["judgements"] == {"test": 0}


def test_they_may_be_of_the_same_dataset(parts, tmp_path):
    """And all its splits are searched for."""
    manifest = made(tmp_path, (parts[0], parts[0]), "test")
    assert columns(manifest, "corpus", "text") == columns(parts[0], "queries.test", "text")
    for split in ("test", "train"):
        assert columns(manifest, f"queries.{split}", "text") == columns(parts[0], f"queries.{split}", "text")


def test_a_split_that_is_not_there_is_named(parts, tmp_path):
    with pytest.raises(SystemExit) as exit:
        made(tmp_path, parts, "dev")
    assert str(exit.value).startswith(f"error: {parts[0].parent}: this dataset has no queries.dev, only ")


def test_any_ranker_searches_them(tmp_path):
    """The run is made of this dataset, which is made of the two; a model's several datasets are still joined."""
    table = ("tables:\n", "tables:\n  near: {rankers: [bm25], on: asked/test, metrics: [Hit@5]}\n")
    graph = Graph(Config(study="s.yaml"), load(tmp_path, WRITTEN, table))
    assert graph.dataset_files("asked") == ["data/d/manifest.json", "data/own/manifest.json"]
    assert graph.rank_inputs("bm25", "asked", "test")["dataset"] == ["data/asked/manifest.json"]
    assert {"asked", "d", "own"} <= set(graph.needed.datasets)
    both = ("co, data: d, negatives: [bm25]}", "co, data: [d, own], negatives: [bm25]}")
    assert load(tmp_path, WRITTEN, both).datasets["d--own"].source == "union"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("data: d", "data: e"), "datasets.asked.data: no dataset 'e'"),
        (("queries: own", "queries: oww"), "datasets.asked.queries: no dataset 'oww'; did you mean 'own'"),
        (("split: train", "split: trian"), "datasets.asked.split: no judged split 'trian'; did you mean 'train'"),
        (("data: d,", "data: u,"), "datasets.asked.data: 'u' is made of others itself; name what it is made of"),
        (("queries: own", "queries: u"), "datasets.asked.queries: 'u' is made of others itself"),
    ],
)
def test_mistakes_are_a_line(tmp_path, change, message):
    union = ("  own:", "  u: {source: union, of: [d, own]}\n  own:")
    with pytest.raises(UserError) as error:
        load(tmp_path, WRITTEN, union, change)
    assert message in str(error.value) and len(str(error.value).splitlines()) == 1
