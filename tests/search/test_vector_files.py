"""Vectors as .npy: NumPy reads what was stored, whatever shards it lies in, and the ids are those of the rows."""

import shutil

import numpy as np
import pytest

from dewpoint.search import vectors as stored
from programs import call, prepare, tables
from stored import store, store_several

ROWS = 37


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    corpus = "id,text\n" + "".join(f"p{row * 7},word\n" for row in range(ROWS))
    text = {"corpus.csv": corpus, "judgements.csv": "query,passage,grade\nq1,p7,1\nq2,p0,1\n"}
    return prepare(folder, tables(folder, text))


@pytest.mark.parametrize("type", [np.float16, np.float32])
@pytest.mark.parametrize("bounds", [(), (1, 20)])
def test_vectors_and_ids_are_those_of_the_rows(tmp_path, dataset, monkeypatch, type, bounds):
    """In blocks that end anywhere."""
    monkeypatch.setattr(stored, "BLOCK", 4 * 5 * 7)
    given = np.random.default_rng(1).normal(size=(ROWS, 5)).astype(type)
    manifests = store(tmp_path, "corpus", given, bounds).manifests
    output = call("export", tmp_path / "out/x.npy", {}, vectors=manifests, dataset=dataset)
    read = np.load(output, mmap_mode="r")
    assert read.dtype == type and np.array_equal(read, given)
    assert output.with_suffix(".ids.txt").read_text().splitlines() == [f"p{row * 7}" for row in range(ROWS)]
    assert sorted(path.name for path in output.parent.iterdir()) == ["x.ids.txt", "x.npy"]


def test_queries_have_their_own_ids(tmp_path, dataset):
    given = np.ones((2, 3), np.float32)
    manifests = store(tmp_path, "queries.test", given).manifests
    output = call("export", tmp_path / "x.npy", {}, vectors=manifests, dataset=dataset)
    assert output.with_suffix(".ids.txt").read_text() == "q1\nq2\n"


def test_of_several_vectors_a_text_the_offsets_say_which(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(stored, "BLOCK", 4 * 4 * 9)
    counts = np.random.default_rng(2).integers(1, 6, ROWS)
    given = np.random.default_rng(3).normal(size=(counts.sum(), 4)).astype(np.float16)
    manifests = store_several(tmp_path, "corpus", given, counts, (11,)).manifests
    output = call("export", tmp_path / "x.npy", {}, vectors=manifests, dataset=dataset)
    assert np.array_equal(np.load(output), given)
    assert np.load(output.with_suffix(".offsets.npy")).tolist() == [0, *np.cumsum(counts)]


@pytest.mark.parametrize(
    ("output", "vectors", "told"),
    [
        ("x.pickle", True, "unknown format '.pickle'"),
        ("x.trec", True, "name the one that it is of"),
        ("x.npy", False, "name the one that it is of"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path, dataset, output, vectors, told):
    manifests = store(tmp_path, "corpus", np.ones((ROWS, 2), np.float32)).manifests if vectors else []
    with pytest.raises(SystemExit, match=told):
        call("export", tmp_path / output, {}, vectors=manifests, dataset=dataset)
    assert not (tmp_path / output).exists()


def test_vectors_of_another_dataset_are_refused_and_nothing_is_left(tmp_path, dataset):
    manifests = store(tmp_path, "corpus", np.ones((ROWS + 1, 2), np.float32)).manifests
    with pytest.raises(SystemExit, match=r"has 37 texts, the vectors are of 38; encode it anew"):
        call("export", tmp_path / "out/x.npy", {}, vectors=manifests, dataset=dataset)
    assert not list((tmp_path / "out").iterdir())
    shutil.rmtree(tmp_path / "out")
