"""Examples are read back as they were written, with a corpus beside them or without; pairs by rows are judgements."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import dataset as module
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.errors import UserError
from dewpoint.program import Settings
from prepare import refuse_other_counts

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(str.strip)


def writer_in(folder) -> DatasetWriter:
    return DatasetWriter(Artifact(folder / "data" / "manifest.json"))


def finished(writer: DatasetWriter) -> Dataset:
    writer.finish()
    writer.artifact.seal()
    return Dataset(writer.artifact.manifest)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(2, 4), st.booleans(), st.integers(1, 4))
def test_they_are_read_back_text_by_text(tmp_path_factory, data, count, scored, batch):
    rows = data.draw(st.lists(st.tuples(*[TEXT] * count), min_size=1, max_size=9))
    scores = [data.draw(st.floats(-5, 5, width=32)) if scored else None for _ in rows]
    writer = writer_in(tmp_path_factory.mktemp("examples"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", batch)
        for texts, score in zip(rows, scores, strict=True):
            writer.example("here", "dev", texts, score)
        writer.example("here", "train", ("one", "two"), 0)
        dataset = finished(writer)
    texts, found = dataset.examples("dev")
    assert list(zip(*(column.to_pylist() for column in texts), strict=True)) == rows
    assert (None if found is None else found.tolist()) == (scores if scored else None)
    assert dataset.example_splits == ["dev", "train"] and dataset.splits == [] and not dataset.has_corpus
    assert read_manifest(dataset.manifest)["facts"]["examples"] == {"dev": len(rows), "train": 1}


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([(("one",), None)], "an example has two texts or more, this one 1"),
        ([(("one", " "), None)], "text 2 of the example is empty"),
        ([(("one", "two"), None), (("a", "b", "c"), None)], "an example of 3 texts, those of dev before have 2"),
        ([(("one", "two"), 1), (("a", "b"), None)], "an example with no score, those of dev before have one"),
        ([(("one", "two"), None), (("a", "b"), 0.0)], "an example with a score, those of dev before have none"),
        ([(("one", "two"), float("nan"))], "score nan is not a finite number"),
        ([(("one", "two"), 1e39)], "score 1e+39 is not a finite number"),
    ],
)
def test_what_is_wrong_with_one_is_said(tmp_path, examples, message):
    writer = writer_in(tmp_path)
    with pytest.raises(UserError) as error:
        for number, (texts, score) in enumerate(examples, 1):
            writer.example(f"file:{number}", "dev", texts, score)
    assert str(error.value) == f"file:{len(examples)}: {message}"


def test_what_a_dataset_lacks_is_said_with_what_it_has(tmp_path):
    writer = writer_in(tmp_path)
    writer.example("", "dev", ("one", "two"))
    dataset = finished(writer)
    lacks = {
        "corpus": [
            lambda: dataset.rows("corpus"),
            lambda: dataset.column("corpus", "id"),
            lambda: dataset.batches("corpus", ["id"]),
            dataset.documents,
        ],
        "judgements.dev": [lambda: dataset.judgements("dev"), lambda: dataset.positives("dev")],
        "lists.hard.dev": [lambda: dataset.listed("hard", "dev")],
        "examples.test": [lambda: dataset.examples("test")],
    }
    for table, readers in lacks.items():
        for read in readers:
            with pytest.raises(UserError) as error:
                read()
            assert str(error.value) == f"{tmp_path}/data: this dataset has no {table}, only examples.dev"


def test_a_dataset_has_passages_or_examples(tmp_path):
    writer = writer_in(tmp_path)
    writer.query("", "dev", "q", "which?")
    with pytest.raises(UserError, match=r"/data: no passage and no example was found; a dataset needs either$"):
        writer.finish()


@pytest.mark.parametrize(("facts", "count"), [({"examples": {"dev": 2}}, 2), ({}, 0)])
def test_another_number_than_was_published_is_refused(facts, count):
    refuse_other_counts("sts", facts, Settings(examples=Settings(dev=count)))
    with pytest.raises(UserError, match=f"^sts: {count} dev examples, expected 3; are the files another version's\\?$"):
        refuse_other_counts("sts", facts, Settings(examples=Settings(dev=3)))


def test_examples_change_nothing_about_the_rest(tmp_path):
    """File by file, byte by byte; and the facts are more by one."""
    made = []
    for name in ("without", "with"):
        writer = writer_in(tmp_path / name)
        for row in range(3):
            writer.passage("", f"p{row}", "text")
        writer.end_of_corpus("")
        writer.query("", "dev", "q", "which?")
        if name == "with":
            writer.example("", "dev", ("one", "two"))
        writer.judgement("", "dev", "q", "p1")
        made.append(read_manifest(finished(writer).manifest))
    without, of_both = made
    assert of_both["files"].pop("examples.dev.parquet")["schema"] == {
        "texts": "list<element: string>",
        "score": "float",
    }
    assert of_both["files"] == without["files"]
    assert of_both["facts"] == without["facts"] | {"examples": {"dev": 1}}


def corpus_and_queries(folder) -> DatasetWriter:
    writer = writer_in(folder)
    for row in range(4):
        writer.passage("", f"p{row}", "text")
    for row in range(3):
        writer.query("", "train", f"q{row}", "which?")
    return writer


def test_pairs_by_rows_are_judgements(tmp_path):
    rows = [(0, 1, 1.0), (0, 3, 2.5), (2, 0, 0.0), (1, 1, 1.0)]
    one, many = (corpus_and_queries(tmp_path / name) for name in ("one", "many"))
    for query, passage, grade in rows:
        one.judgement("", "train", f"q{query}", f"p{passage}", grade)
    many.judgement("", "train", "q0", "p1")
    columns = [np.array(column) for column in zip(*rows[1:3], strict=True)]
    many.pairs("", "train", *columns)
    many.pairs("", "train", np.array([1]), np.array([1]))
    one, many = finished(one), finished(many)
    tables = [pq.read_table(of.manifest.parent / "judgements.train.parquet") for of in (one, many)]
    assert tables[0].equals(tables[1])
    assert read_manifest(many.manifest)["facts"] == read_manifest(one.manifest)["facts"]


@pytest.mark.parametrize(
    ("query", "passage", "message"),
    [
        ([0, 3], [0, 0], "judgement names query row 3, there are 3"),
        ([-1], [0], "judgement names query row -1, there are 3"),
        ([0, 0], [3, 4], "judgement names passage row 4, there are 4"),
    ],
)
def test_pairs_of_rows_that_are_not_there(tmp_path, query, passage, message):
    writer = corpus_and_queries(tmp_path)
    with pytest.raises(UserError, match=f"^pairs.npy: {message}$"):
        writer.pairs("pairs.npy", "train", np.array(query), np.array(passage))


def test_one_passage_a_query_is_mapped_and_read_as_judgements(tmp_path):
    one, mapped = (corpus_and_queries(tmp_path / name) for name in ("one", "mapped"))
    one.pairs("", "train", np.arange(3), np.array([3, 0, 3]))
    mapped.paired("", "train", np.array([3]))
    mapped.paired("", "train", np.array([0, 3]))
    one, mapped = finished(one), finished(mapped)
    assert (one.is_paired("train"), mapped.is_paired("train")) == (False, True)
    assert isinstance(mapped.paired("train"), np.memmap)
    for read in (one.judgements, one.positives):
        for expected, found in zip(read("train"), getattr(mapped, read.__name__)("train"), strict=True):
            assert (found == expected).all()
            assert found.dtype == expected.dtype
    assert mapped.rows("corpus") == 4
    assert read_manifest(mapped.manifest)["facts"] == read_manifest(one.manifest)["facts"]


def test_a_pair_of_a_passage_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"^pairs.npy: a pair names passage row 4, there are 4$"):
        corpus_and_queries(tmp_path).paired("pairs.npy", "train", np.array([0, 4]))


def test_grades_of_pairs_are_one(tmp_path):
    writer = corpus_and_queries(tmp_path)
    writer.paired("", "train", np.array([0, 1, 2]))
    writer.relevant["train"] = 2
    with pytest.raises(UserError, match="train has no grade above 1, and 2 is relevant"):
        writer.refuse_nothing_relevant()


def test_queries_without_their_passage_are_refused(tmp_path):
    writer = corpus_and_queries(tmp_path)
    writer.paired("", "train", np.array([0, 1]))
    with pytest.raises(ValueError, match="train: 2 pairs of 3 queries"):
        writer.finish()
