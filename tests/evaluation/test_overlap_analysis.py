"""Overlap with a pre-training: verbatim is a set's lookup, distances are a plain recursion's, cells are counted."""

import csv
import io
import re
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data import dataset as datasets
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.runs import Run, read_run
from dewpoint.errors import UserError
from dewpoint.evaluation import overlap
from dewpoint.evaluation.overlap import look_through, normalised, smallest, word_edits
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import call, prepare, tables
from sample_study import load
from stored import store_run

HOW = ("exact", "case", "words")
ASCII = st.text("abAB \t?'1", max_size=9)
EVERY = st.text(max_size=12)


# --- what is compared ---------------------------------------------------------------------------


def plainly(text: str, how: str) -> str:
    """Of ASCII."""
    if how == "exact":
        return text
    return " ".join(text.lower().split() if how == "case" else re.findall("[a-z0-9]+", text.lower()))


@pytest.mark.parametrize("how", HOW)
@given(st.lists(ASCII, max_size=8))
def test_ascii_is_compared_as_plain_python_has_it(how, texts):
    assert normalised(pa.array(texts, pa.string()), how).to_pylist() == [plainly(text, how) for text in texts]


@pytest.mark.parametrize("how", ["case", "words"])
@given(st.lists(EVERY | ASCII, max_size=8))
def test_what_looks_plain_already_is(how, texts):
    """Texts that are not mended would not be changed by it; and all is the same the second time."""
    array = pa.array(texts, pa.string())
    slowly = pc.utf8_trim(pc.replace_substring_regex(pc.utf8_lower(array), overlap.GAPS[how], " "), " ")
    assert normalised(array, how).to_pylist() == slowly.to_pylist()
    assert normalised(normalised(array, how), how).to_pylist() == slowly.to_pylist()


@pytest.mark.parametrize(
    ("how", "same", "other"),
    [
        ("exact", "Who  is?", "who is?"),
        ("case", "\u00a0WHO\u2003\tis Ünal? ", "who is ünal"),
        ("words", " «Who» is–Ünal’s 3rd ?", "who is ünals 3rd"),
    ],
)
def test_what_is_the_same(how, same, other):
    expected = {"exact": same, "case": "who is ünal?", "words": "who is ünal s 3rd"}[how]
    assert normalised(pa.array([same, other]), how).to_pylist() == [expected, other]


# --- verbatim -----------------------------------------------------------------------------------


def dataset_of(folder, passages, queries=(), split="test"):
    artifact = Artifact(folder / "manifest.json", {"of": str(folder)})
    writer = DatasetWriter(artifact)
    for row, text in enumerate(passages):
        writer.paragraph(str(row), text, "", str(row))
    for row, text in enumerate(queries):
        writer.query("", split, str(row), text)
    writer.finish()
    artifact.seal()
    return artifact.manifest


@settings(max_examples=50)
@given(st.sampled_from(HOW), st.lists(ASCII, min_size=1, max_size=30), st.lists(ASCII, max_size=9), st.data())
def test_verbatim_is_a_sets_lookup(tmp_path_factory, how, passages, questions, data):
    """In batches of any size; the texts that are wanted come with it."""
    wanted = np.unique(np.array(data.draw(st.lists(st.integers(0, len(passages) - 1))), np.int64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "BATCH", 4)
        patch.setattr(Dataset.batches, "__defaults__", (3,))
        others = Dataset(dataset_of(tmp_path_factory.mktemp("others"), passages))
        found, texts = look_through(others, pa.array(questions, pa.string()), how, wanted)
    known = [plainly(text, how) for text in passages]
    for question, passage, times in zip(questions, found.passage, found.times, strict=True):
        sought = plainly(question, how)
        among = bool(sought) and sought in set(known)
        assert passage == (known.index(sought) if among else -1)
        assert times == (known.count(sought) if among else 0)
    assert texts.to_pylist() == [passages[row] for row in wanted]


def test_what_is_held_does_not_grow_with_the_others(tmp_path, monkeypatch):
    """Batches are as small as ever, and Arrow holds no more for five times as many."""
    sizes = []

    def counted(texts, how):
        sizes.append(len(texts))
        return normalised(texts, how)

    monkeypatch.setattr(datasets, "BATCH", 5000)
    monkeypatch.setattr(Dataset.batches, "__defaults__", (5000,))
    monkeypatch.setattr(overlap, "normalised", counted)

    def held(count):
        """The most that Arrow held at any call."""
        others = Dataset(dataset_of(tmp_path / str(count), (f"Is it  number {row}?" for row in range(count))))
        most, before = [], pa.total_allocated_bytes()
        with pytest.MonkeyPatch.context() as patch:
            places = overlap._places
            patch.setattr(
                overlap, "_places", lambda *of: most.append(pa.total_allocated_bytes() - before) or places(*of)
            )
            found, _ = look_through(others, pa.array(["is it number 7", "x"]), "words", np.array([3]))
        assert found.passage.tolist() == [7, -1]
        return max(most)

    few, many = held(20_000), held(100_000)
    assert max(sizes) <= 5000 and many < 1.5 * few


# --- distances ----------------------------------------------------------------------------------


def levenshtein(one: list[str], other: list[str]) -> int:
    """By its definition."""

    @cache
    def of(a: int, b: int) -> int:
        if not a or not b:
            return a + b
        return min(of(a - 1, b) + 1, of(a, b - 1) + 1, of(a - 1, b - 1) + (one[a - 1] != other[b - 1]))

    return of(len(one), len(other))


TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "dd", "ä"]), max_size=7).map(" ".join), min_size=1, max_size=6
)


@given(TEXTS, TEXTS, st.data())
def test_distances_are_the_plain_ones(questions, texts, data):
    draw = [data.draw(st.lists(st.integers(0, len(of) - 1), min_size=9, max_size=9)) for of in (questions, texts)]
    found = word_edits(pa.array(questions), pa.array(texts), *map(np.array, draw))
    pairs = zip(*draw, strict=True)
    assert found.tolist() == [levenshtein(questions[one].split(), texts[other].split()) for one, other in pairs]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=12))
def test_the_smallest_is_the_first_of_the_equal(rows):
    query, distance = (np.array(of, np.int64) for of in (zip(*rows, strict=True) if rows else ([], [])))
    expected = []
    for one in range(5):
        of = [(far, row) for row, (asked, far) in enumerate(rows) if asked == one]
        expected.append(min(of)[1] if of else -1)
    assert smallest(query, distance, 5).tolist() == expected


# --- the analysis -------------------------------------------------------------------------------

PASSAGES, COUNT, DEPTH = [f"passage {row}" for row in range(9)], 24, 6
WORDS = ["who", "is", "What's", "in", "it", "Z?"]


def written(rows):
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()


@pytest.fixture
def made(tmp_path):
    """(dataset, others, runs of the two, the run of the nearest, what is asked, what others asked)."""
    random = np.random.default_rng(5)
    asked = [" ".join(random.choice(WORDS, random.integers(1, 5))) for _ in range(COUNT)]
    pool = [" ".join(random.choice(WORDS, random.integers(1, 5))).upper() for _ in range(40)]
    judged = [(f"q{row}", f"p{random.integers(9)}", 1) for row in range(0, COUNT - 2)]
    texts = {
        "corpus.csv": written([("id", "text"), *((f"p{row}", text) for row, text in enumerate(PASSAGES))]),
        "queries.csv": written([("id", "text"), *((f"q{row}", text) for row, text in enumerate(asked))]),
        "judgements.csv": written([("query", "passage", "grade"), *judged]),
    }
    (tmp_path / "files").mkdir()
    dataset = prepare(tmp_path, tables(tmp_path / "files", texts), "data")
    others = dataset_of(tmp_path / "others", pool, Dataset(dataset).column("queries.test", "text").to_pylist())
    runs = [run(tmp_path, name, random, 9, COUNT) for name in ("one", "two")]
    near = run(tmp_path, "near", random, len(pool), COUNT - 1)  # of the last nothing is near
    return dataset, others, [*runs, near], pool


def run(folder, name, random, passages, queries):
    order = np.concatenate([random.permutation(passages)[:DEPTH] for _ in range(queries)]).astype(np.int32)
    score = np.tile(-np.arange(DEPTH, dtype=np.float32), queries)
    return store_run(folder, name, Run(np.arange(queries, dtype=np.int32).repeat(DEPTH), order, score))


SETTINGS = {"rankers": ["one", "two"], "split": "test", "metric": "Success@2", "nearest": 4, "compare": "words"}


def called(folder, made, **changed):
    dataset, others, runs, _ = made
    output = folder / "overlap" / "manifest.json"
    return call("analyses.overlap work", output, SETTINGS | changed, dataset=dataset, among=others, runs=runs)


@pytest.mark.parametrize("how", HOW)
def test_all_is_as_a_plain_loop_has_it(tmp_path, made, how):
    dataset, _, runs, pool = made
    output = called(tmp_path, made, compare=how)
    found = pd.read_parquet(output.parent / "questions.parquet")
    data = Dataset(dataset)
    asked, known = data.column("queries.test", "text").to_pylist(), [plainly(text, how) for text in pool]
    relevant = set(zip(*(column.tolist() for column in data.judgements("test")[:2]), strict=True))
    judged = {query for query, _ in relevant}
    first, second, near = (pd.DataFrame({"q": of.query, "p": of.passage}) for of in map(read_run, runs))
    expected = []
    for row, text in enumerate(asked):
        of = [pool[passage] for passage in near[near.q == row].p[:4]]
        away = [levenshtein(plainly(text, how).split(), plainly(other, how).split()) for other in of]
        hits = [
            any((row, passage) in relevant for passage in found_by[found_by.q == row].p[:2]) if row in judged else None
            for found_by in (first, second)
        ]
        times = known.count(plainly(text, how))
        nearest = (min(away), of[away.index(min(away))]) if of else (None, None)
        expected.append((row, text, times > 0, times, *nearest, *hits))
    rows = [tuple(None if pd.isna(value) else value for value in row) for row in found.itertuples(index=False)]
    assert rows == expected and {row[-1] for row in rows} == {True, False, None}
    assert any(row[2] for row in rows) == (how != "exact") and rows[-1][4] is None

    cells = pd.read_parquet(output.parent / "cells.parquet")
    for one, two, count, words in cells.itertuples(index=False):
        of = [row[4] for row in expected if row[6:] == (one, two)]
        away = [value for value in of if value is not None]
        assert count == len(of) and (words == pytest.approx(np.mean(away)) if away else np.isnan(words))
    assert cells["questions"].sum() == len(judged) and len(cells) == 4
    for name, count, share, *means in pd.read_parquet(output.parent / "verbatim.parquet").itertuples(index=False):
        of = [row for row in expected if name == "all" or row[2] == (name == "yes")]
        assert (count, share) == (len(of), len(of) / COUNT)
        for mean, column in zip(means, (6, 7, 4), strict=True):
            values = [row[column] for row in of if row[column] is not None]
            assert mean == pytest.approx(np.mean(values)) if values else np.isnan(mean)
    assert (output.parent / "overlap.svg").read_text().count("<polyline") == 2
    facts = read_manifest(output)["facts"]
    assert facts["among"] == len(pool) and facts["none_near"] == 1
    assert facts["verbatim"] == sum(row[2] for row in expected)


def test_questions_of_another_dataset_are_refused(tmp_path, made):
    dataset, _, runs, pool = made
    others = dataset_of(tmp_path / "other", pool, ["is it"])
    with pytest.raises(SystemExit) as exit:
        called(tmp_path, (dataset, others, runs, pool))
    said = f"error: {others}: its queries of test are not those of {dataset}; name a dataset of them"
    assert str(exit.value) == said


def test_nothing_near_is_refused(tmp_path, made):
    dataset, others, runs, pool = made
    none = store_run(tmp_path, "none", Run(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32)))
    with pytest.raises(SystemExit, match=r"none\.json: nothing is near to any question of test; take another ranker"):
        called(tmp_path, (dataset, others, [*runs[:2], none], pool))
    unjudged = store_run(tmp_path, "last", Run(np.array([COUNT - 1]), np.array([0]), np.zeros(1, np.float32)))
    with pytest.raises(SystemExit, match=r"last\.json: what is near is so to no question that Success@2 counts"):
        called(tmp_path, (dataset, others, [*runs[:2], unjudged], pool))


# --- in a study ---------------------------------------------------------------------------------

ENTRY = "{kind: overlap, rankers: [first, second], on: own/test, metric: Success@20, among: asked, ranker: bm25}"
STUDY = (
    ("  own:", "  asked: {source: questions, data: d, split: train, queries: own}\n  own:"),
    ("tables:", f"analyses:\n  seen: {ENTRY}\ntables:"),
)


def test_it_is_made_of_three_runs(tmp_path):
    graph = Graph(Config(study="s.yaml"), load(tmp_path, *STUDY))
    runs = [f"results/s/runs/{ranker}/own.test.json" for ranker in ("first", "second")]
    expected = {"runs": [*runs, "results/s/runs/bm25/asked.test.json"]}
    expected |= {"dataset": ["data/own/manifest.json"], "among": ["data/asked/manifest.json"]}
    assert graph.analysis_inputs("seen") == expected
    assert {"asked", "d", "own"} <= set(graph.needed.datasets)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[first, second]", "[first]"), "analyses.seen.rankers: List should have at least 2 items"),
        (("[first, second]", "[first, first]"), "analyses.seen.rankers: 'first' is there twice; once is enough"),
        (("[first, second]", "[first, bm]"), "analyses.seen.rankers: no ranker 'bm'; did you mean 'bm25'"),
        (("ranker: bm25}", "ranker: bm}"), "analyses.seen.ranker: no ranker 'bm'; did you mean 'bm25'"),
        (("among: asked", "among: ask"), "analyses.seen.among: no dataset 'ask'; did you mean 'asked'"),
        (("own/test, metric", "owm/test, metric"), "analyses.seen.on: no dataset 'owm'"),
        (("own/test, metric", "own/tets, metric"), "analyses.seen.on: no judged split 'tets'; did you mean 'test'"),
        (("Success@20", "latency@1"), "analyses.seen.metric: latency@1 is no quality of a question's passages"),
        (("Success@20", "Success@2000"), "analyses.seen.metric: 2000 of 'first', which keeps only 1000 passages"),
        (("ranker: bm25}", "ranker: bm25, nearest: 1001}"), "analyses.seen.nearest: 1001 of 'bm25', which keeps only"),
        (("ranker: bm25}", "ranker: bm25, compare: all}"), "analyses.seen.compare: Input should be 'exact', 'case'"),
    ],
)
def test_mistakes_are_a_line(tmp_path, change, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, *STUDY, change)
    assert message in str(error.value) and len(str(error.value).splitlines()) == 1


def test_a_split_without_others_is_named(tmp_path):
    with pytest.raises(UserError, match=r"analyses\.seen\.among: no answered split 'test'"):
        load(tmp_path, *STUDY, ("among: asked", "among: d"))
