"""Passages that positives and lists name, of a dataset: as DPR's own file has them, read by itself."""

import gzip
import json

import pyarrow.parquet as pq
import pytest

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import tiny
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.errors import UserError
from dewpoint.sources import dpr
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from dewpoint.study.sizes import Sizes
from programs import downloads, prepare, tables
from sample_study import load

OPTIONS = {"source": "dpr", "questions": ["nq"]}
REDUCED = {"source": "reduced", "data": "wiki", "split": "nq-dev", "of_lists": ["hard"], "positives": "first"}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """DPR's files, tiny, and the dataset in them; the development questions as their file has them."""
    folder = tmp_path_factory.mktemp("released")
    dpr.rehearse(folder / "files", tiny.Words(3), ["nq"])
    wiki = prepare(folder, OPTIONS, "wiki", [downloads(folder / "files")])
    return wiki, json.loads(gunzip(folder / "files" / "biencoder-nq-dev.json.gz"))


def gunzip(path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def rows(manifest, table):
    return pq.read_table(manifest.parent / f"{table}.parquet").to_pylist()


@pytest.mark.parametrize("positives", ["first", "all"])
@pytest.mark.parametrize("lists", [["hard"], ["negatives", "hard"], []])
def test_it_has_what_the_file_names(released, tmp_path, positives, lists):
    """A set of ids made from the JSON, question by question: in the corpus's order, ids and titles as they were."""
    wiki, entries = released
    reduced = prepare(tmp_path, REDUCED | {"of_lists": lists, "positives": positives}, files=[wiki])
    corpus = {row["id"]: row for row in rows(wiki, "corpus")}
    wanted, judged, asked = set(), [], []
    for number, entry in enumerate(entries):
        ids = {
            key: [str(context.get("passage_id")) for context in entry[key]]
            for key in ("positive_ctxs", "negative_ctxs", "hard_negative_ctxs")
        }
        known = {key: [id for id in found if id in corpus] for key, found in ids.items()}
        if not known["positive_ctxs"]:
            continue
        right = known["positive_ctxs"][: 1 if positives == "first" else None]
        asked.append(f"nq-dev-{number}")
        judged += [(asked[-1], id) for id in right]
        wanted |= {*right, *(id for name in lists for id in known[dpr.LISTS[name]])}
    assert 0 < len(wanted) < len(corpus)
    assert rows(reduced, "corpus") == [row for id, row in corpus.items() if id in wanted]
    queries = [row for row in rows(wiki, "queries.nq-dev") if row["id"] in asked]
    assert rows(reduced, "queries.nq-dev") == queries and len(queries) == len(asked)
    ids = [row["id"] for row in rows(reduced, "corpus")]
    found = {(queries[row["query"]]["id"], ids[row["passage"]]) for row in rows(reduced, "judgements.nq-dev")}
    assert found == {*judged}
    facts = read_manifest(reduced)["facts"]
    assert facts["passages"] == len(wanted) and facts["queries"] == {"nq-dev": len(asked)}


def test_grades_go_with_it_and_queries_without_a_positive_do_not(tmp_path):
    judged = {"judgements.csv": "query,passage,grade\nq2,p1,1\nq2,p2,3\nq1,p1,1\n"}
    graded = prepare(tmp_path, tables(tmp_path, judged) | {"relevant": 2}, "graded")
    reduced = prepare(tmp_path, REDUCED | {"split": "test", "of_lists": [], "positives": "all"}, files=[graded])
    assert [row["id"] for row in rows(reduced, "corpus")] == ["p2"]
    assert [row["id"] for row in rows(reduced, "queries.test")] == ["q2"]
    assert rows(reduced, "judgements.test") == [{"query": 0, "passage": 0, "grade": 3}]
    assert Dataset(reduced).relevant("test") == 2
    assert read_manifest(reduced)["facts"]["queries_without_positive"] == 1


def test_documents_that_are_judged_are_refused(tmp_path):
    artifact = Artifact(tmp_path / "whole" / "manifest.json")
    writer = DatasetWriter(artifact)
    writer.document("", "d", "", [("d-0", "one"), ("d-1", "two")])
    writer.end_of_corpus("")
    writer.query("", "test", "q", "which?")
    writer.judgement("", "test", "q", "d")
    writer.finish()
    artifact.seal()
    with pytest.raises(SystemExit) as exit:
        prepare(tmp_path, REDUCED | {"split": "test", "of_lists": []}, files=[artifact.manifest])
    assert str(exit.value).startswith(f"error: {artifact.manifest}: judges whole documents")


WRITTEN = ("  own:", f"  wiki: {json.dumps(OPTIONS)}\n  small: {json.dumps(REDUCED)}\n  own:")


def test_it_is_a_dataset_like_any_other(tmp_path):
    """A table of it needs the whole one, for training reads that; and the plan knows that it is a part."""
    table = ("tables:\n", "tables:\n  small: {rankers: [bm25], on: small/nq-dev, metrics: [Success@20]}\n")
    graph = Graph(Config(study="s.yaml", data=str(tmp_path / "data")), load(tmp_path, WRITTEN, table))
    assert graph.dataset_files("small") == [f"{tmp_path}/data/wiki/manifest.json"]
    assert {"small", "wiki"} <= set(graph.needed.datasets)
    sizes = Sizes(graph)
    assert sizes.queries("small", "nq-dev") == sizes.queries("wiki", "nq-dev") == 6515
    assert sizes.queries("small", "nq-train") == 0
    assert 6515 < sizes.passages("small") < sizes.passages("wiki") / 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"data": "wiki"', '"data": "wik"'), "datasets.small.data: no dataset 'wik'; did you mean 'wiki'"),
        (("nq-dev", "nq-dve"), "datasets.small.split: no judged split 'nq-dve'; did you mean 'nq-dev'"),
        (('["hard"]', '["hrad"]'), "datasets.small.of_lists: nq-dev of 'wiki' has no list 'hrad'; did you mean 'hard'"),
        (('["hard"]', '["hard", "hard"]'), "datasets.small.of_lists: 'hard' is there twice"),
        (
            ("own:", "again: {source: reduced, data: small, split: nq-dev}\n  own:"),
            "datasets.again.data: 'small' is made",
        ),
    ],
)
def test_mistakes_are_a_line(tmp_path, change, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, WRITTEN, change)
    assert message in str(error.value) and len(str(error.value).splitlines()) == 1
