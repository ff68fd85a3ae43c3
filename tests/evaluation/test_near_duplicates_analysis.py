"""Near-duplicates: pairs are those of a plain comparison of all texts, each with each."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.errors import UserError
from dewpoint.evaluation import near_duplicates
from dewpoint.evaluation.near_duplicates import counts, near, plan
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import call
from sample_study import load

WORDS = ["dew", "point", "air", "Cold", "glass!", "grass"]


def dataset_of(folder, **splits):
    """A dataset with these queries, and the passage that it must have."""
    artifact = Artifact(folder / "manifest.json", {"of": str(folder)})
    writer = DatasetWriter(artifact)
    for row, text in enumerate(splits.pop("passages", ["none"])):
        writer.passage("", f"p{row}", text)
    writer.end_of_corpus("")
    for split, texts in splits.items():
        for row, text in enumerate(texts):
            writer.query("", split, f"{split}{row}", text)
    writer.finish()
    artifact.seal()
    return artifact.manifest


def set_of(text, size):
    words = re.findall("[a-z0-9]+", text.lower())
    return {tuple(words[at : at + size]) for at in range(max(1, len(words) - size + 1))} if words else set()


def plainly(texts, size, jaccard):
    """{(first, second): coefficient} of all pairs."""
    sets = [set_of(text, size) for text in texts]
    found = {}
    for second, other in enumerate(sets):
        for first, one in enumerate(sets[:second]):
            if one and other and (alike := len(one & other) / len(one | other)) >= jaccard:
                found[first, second] = alike
    return found


TEXTS = st.lists(
    st.lists(st.sampled_from(WORDS), max_size=7).map(lambda words: " ".join(words) or "?"), min_size=1, max_size=12
)


@settings(max_examples=25, deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 3), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_pairs_and_counts_are_those_of_all_with_all(tmp_path_factory, train, dev, size, jaccard):
    data = Dataset(dataset_of(tmp_path_factory.mktemp("d"), train=train, dev=dev))
    found = near(data, ["queries.train", "queries.dev"], size, jaccard, 1)
    expected, sets = plainly(train + dev, size, jaccard), [set_of(text, size) for text in train + dev]
    first_of = [sets.index(one) for one in sets]
    shown = {pair: alike for pair, alike in expected.items() if first_of[pair[0]] == pair[0]}
    shown = {pair: alike for pair, alike in shown.items() if first_of[pair[1]] in (pair[1], pair[0])}
    made = dict(zip(zip(found.first.tolist(), found.second.tolist(), strict=True), found.jaccard.tolist(), strict=True))
    assert made == pytest.approx(shown) and len(made) == len(found.first) and not found.crowded
    part = [0] * len(train) + [1] * len(dev)
    near_to = {(one, part[other]) for pair in expected for one, other in (pair, pair[::-1])}
    by_hand = [
        [sum((row, other) in near_to for row in range(len(part)) if part[row] == one) for other in (0, 1)]
        for one in (0, 1)
    ]
    assert counts(found, np.array([0, len(train), len(part)])).tolist() == by_hand


def test_hardly_any_pair_is_missed(tmp_path):
    """Of two hundred copies with a word or two changed; batches of any size come to the same."""
    random, texts = np.random.default_rng(3), []
    for row in range(200):
        words = [f"w{number}" for number in random.integers(0, 5000, 40)]
        texts.append(" ".join(words))
        words[row % 40] = "other"
        texts.append(" ".join(words))
    data = Dataset(dataset_of(tmp_path, passages=texts))
    found = near(data, ["corpus"], 3, 0.8, 1)
    expected = plainly(texts, 3, 0.8)
    assert len(expected) == 200
    assert dict(zip(zip(found.first, found.second, strict=True), found.jaccard, strict=True)) == pytest.approx(expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataset.batches, "__defaults__", (7,))
        again = near(data, ["corpus"], 3, 0.8, 1)
    assert all(np.array_equal(getattr(found, name), getattr(again, name)) for name in ("first", "second", "jaccard"))


@pytest.mark.parametrize("jaccard", [0.1, 0.3, 0.5, 0.8, 0.9, 1.0])
def test_the_plan_misses_few(jaccard):
    rows, bands = plan(jaccard)
    assert rows * bands <= near_duplicates.HASHES and (1 - jaccard**rows) ** bands <= near_duplicates.MISSED


def test_large_groups_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(near_duplicates, "MOST", 2)
    texts = [f"{'same words here ' * 9}{row}" for row in range(5)]
    found = near(Dataset(dataset_of(tmp_path, passages=texts)), ["corpus"], 1, 0.5, 1)
    assert found.crowded and {(0, 1), (0, 2), (1, 2)} <= {
        *zip(found.first.tolist(), found.second.tolist(), strict=True)
    }


# --- the analysis -------------------------------------------------------------------------------

SETTINGS = {"data": "d", "splits": ["train", "dev"], "jaccard": 0.5, "words": 1, "seed": 1}


def test_what_crosses_splits(tmp_path):
    train = ["who is it", "Is it WHO?", "a b c d", "?", "far away"]
    dev = ["who is it now", "a b c d", "nothing like that"]
    dataset = dataset_of(tmp_path / "d", train=train, dev=dev)
    outputs = [
        call("analyses.near_duplicates work", tmp_path / time / "manifest.json", SETTINGS, dataset=dataset)
        for time in ("one", "two")
    ]
    pairs = pd.read_parquet(outputs[0].parent / "pairs.parquet")
    assert [tuple(row) for row in pairs.itertuples(index=False)] == [
        ("train", 0, "train", 1, 1.0),
        ("train", 0, "dev", 0, 0.75),
        ("train", 2, "dev", 1, 1.0),
    ]
    table = pd.read_parquet(outputs[0].parent / "counts.parquet").set_index(["of", "near_to"])
    assert table["near_duplicates"].tolist() == [2, 3, 2, 0] and table["texts"].tolist() == [5, 5, 3, 3]
    assert table.loc[("dev", "train"), "share"] == pytest.approx(2 / 3)
    facts = read_manifest(outputs[0])["facts"]
    assert (facts["texts"], facts["pairs"], facts["crowded"]) == (8, 3, 0)
    assert (outputs[0].parent / "near-duplicates.svg").read_text().count("<polyline") == 3
    for name in ("pairs.parquet", "counts.parquet", "near-duplicates.svg"):
        assert len({(output.parent / name).read_bytes() for output in outputs}) == 1


def test_passages_without_any(tmp_path):
    dataset = dataset_of(tmp_path / "d", passages=["one", "two"])
    settings = SETTINGS | {"splits": []}
    output = call("analyses.near_duplicates work", tmp_path / "x/manifest.json", settings, dataset=dataset)
    assert not len(pd.read_parquet(output.parent / "pairs.parquet"))
    table = pd.read_parquet(output.parent / "counts.parquet")
    assert table.to_dict("records") == [
        {"of": "passages", "near_to": "passages", "texts": 2, "near_duplicates": 0, "share": 0.0}
    ]


# --- in a study ---------------------------------------------------------------------------------

STUDY = ("tables:", "analyses:\n  twice: {kind: near-duplicates, data: own, splits: [train, test]}\ntables:")


def test_it_reads_a_dataset_alone(tmp_path):
    graph = Graph(Config(study="s.yaml"), load(tmp_path, STUDY))
    assert graph.analysis_inputs("twice") == {"dataset": ["data/own/manifest.json"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[train, test]", "[train, tset]"), "splits: no judged split 'tset'; did you mean 'test'"),
        (("[train, test]", "[test, test]"), "splits: 'test' is there twice; once is enough"),
        (("[train, test]", "[test], jaccard: 0"), "jaccard: Input should be greater than or equal to 0.1"),
    ],
)
def test_mistakes(tmp_path, change, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, STUDY, change)
    assert f"analyses.twice.{message}" in str(error.value)
