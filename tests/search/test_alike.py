"""How alike texts are: what a plain reckoning of each pair says, as a run whose passages are pairs of texts."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.runs import read_run, write_run
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import write_tokens
from dewpoint.errors import UserError
from dewpoint.evaluation.examples import measured, predicted
from dewpoint.evaluation.metrics import measure_examples
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.models.folder import read_encoder, write_retriever
from dewpoint.models.similarity import SIMILARITIES
from dewpoint.search import alike
from models.families import make
from programs import call

SENTENCES = ["dew on cold glass", "dew", "the river at night", "warm air", "morning grass", "stone and leaf", "vapour"]
ORACLES = {  # scipy's, of distances
    "cosine": lambda one, other: 1 - distance.cosine(one, other),
    "dot": np.dot,
    "euclidean": lambda one, other: -distance.euclidean(one, other),
    "manhattan": lambda one, other: -distance.cityblock(one, other),
}


def written(folder, rows: list[tuple[str, ...]], scores=None) -> Dataset:
    writer = DatasetWriter(Artifact(folder / "manifest.json"))
    for row, texts in enumerate(rows):
        writer.example("", "test", texts, None if scores is None else scores[row])
    writer.finish()
    writer.artifact.seal()
    return Dataset(writer.artifact.manifest)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The manifest of a retriever with mean pooling, and its tokenizer."""
    root = tmp_path_factory.mktemp("model")
    words = load_tokenizer(make("bert", root / "bert"))
    artifact = Artifact(root / "made" / "manifest.json")
    texts = {"query_length": 24, "passage_length": 24, "query_prefix": "", "passage_prefix": "", "title": "none"}
    encoder = Retriever(Encoder(read_encoder(root / "bert").backbone, pooling="mean"))
    write_retriever(artifact.path("."), encoder, (words, words), SimpleNamespace(**texts), "card")
    artifact.seal()
    return SimpleNamespace(manifest=artifact.manifest, words=words)


def ranked(folder, model, dataset: Dataset, similarity: str, window: int = 2, **changed):
    """The run, and the vectors of all texts one by one."""
    tokens = Artifact(folder / "tokens" / "manifest.json")
    write_tokens(dataset, model.words, tokens)
    tokens.seal()
    settings = {"similarity": similarity, "split": "test", "precision": "float32", "passage_prefix": ""}
    settings |= {"passage_length": 24} | changed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "WINDOW", window * 3)
        output = call(
            "rankers.similarity rank",
            folder / "runs" / "d.test.json",
            settings,
            model=model.manifest,
            tokens=tokens.manifest,
        )
    return read_run(output), read_manifest(output)["facts"]


def vectors_of(model, texts: list[str]) -> np.ndarray:
    encoder = read_encoder(model.manifest.parent).eval()
    with torch.no_grad():
        given = [model.words(text, return_tensors="pt") for text in texts]
        return np.concatenate([encoder(one["input_ids"], one["attention_mask"]).numpy() for one in given])


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("each", [2, 3])
def test_a_run_says_of_each_pair_of_texts_how_alike_they_are(tmp_path, model, similarity, each):
    """More examples than are encoded at once; what is most alike comes first."""
    rows = [tuple(SENTENCES[(row + 2 * part) % len(SENTENCES)] for part in range(each)) for row in range(5)]
    run, facts = ranked(tmp_path, model, written(tmp_path, rows), similarity)
    found = predicted(run, len(rows))
    for row, texts in enumerate(rows):
        vectors = vectors_of(model, list(texts))
        for number, (i, j) in enumerate(combinations(range(each), 2)):
            expected = ORACLES[similarity](vectors[i].astype(float), vectors[j].astype(float))
            assert found[row, number] == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert np.diff(run.score[run.query == row]).max(initial=0) <= 0
    assert facts == {"rows": len(rows) * (1 if each == 2 else 3), "queries": len(rows)}


def test_a_text_that_is_longer_is_cut_and_one_of_the_same_is_one(tmp_path, model):
    long = "dew on cold glass " * 9
    dataset = written(tmp_path, [(long, f"{long} river"), ("dew", "dew")])
    run, _ = ranked(tmp_path, model, dataset, "cosine", passage_length=8)
    assert run.score == pytest.approx([1, 1], abs=1e-6)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_texts_of_no_direction_are_alike_by_a_number(similarity):
    found = alike.pairs(np.zeros((1, 2, 4), np.float32), similarity)
    assert found.tolist() == [[0]]


def test_lengths_that_the_model_has_no_positions_for_are_refused(tmp_path, model):
    with pytest.raises(SystemExit, match="examples of test: length 5000, but the model has"):
        ranked(tmp_path, model, written(tmp_path, [("a", "b")]), "dot", passage_length=5000)


def test_a_split_that_is_not_there(tmp_path, model):
    with pytest.raises(SystemExit, match="no examples of split 'dev'; there is test"):
        ranked(tmp_path, model, written(tmp_path, [("a", "b")]), "dot", split="dev")


# --- measured -----------------------------------------------------------------------------------

SIMILAR = st.sampled_from([-1.0, 0.0, 0.25, 0.5])


@given(st.lists(st.tuples(SIMILAR, SIMILAR, SIMILAR), min_size=1, max_size=9))
def test_accuracy_is_the_mean_of_what_each_triplet_is(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("triplets")
    dataset = written(folder, [("a", "b", "c")] * len(rows))
    run = alike.run_of(np.arange(len(rows)), np.array(rows, np.float32))
    values, each = measured(run, dataset, "test", ["Accuracy"])
    expected = [float(near > far) for near, far, _ in rows]
    assert each["Accuracy"].tolist() == expected and each.index.name == "query"
    assert values["Accuracy"] == pytest.approx(sum(expected) / len(expected))


def test_scores_of_pairs_are_measured_all_together(tmp_path):
    dataset = written(tmp_path, [("a", "b")] * 4, [0.0, 1.0, 2.5, 5.0])
    similar = np.array([[0.1], [0.4], [0.2], [0.9]], np.float32)
    values, each = measured(alike.run_of(np.arange(4), similar), dataset, "test", ["Spearman", "Pearson"])
    assert values == measure_examples(similar, dataset, "test", ["Spearman", "Pearson"])
    assert list(each) == [] and len(each) == 4


def test_a_run_that_lacks_an_example_is_refused(tmp_path):
    dataset = written(tmp_path, [("a", "b")] * 3, [0.0, 1.0, 2.5])
    run = alike.run_of(np.array([0, 2]), np.array([[0.1], [0.4]], np.float32))
    with pytest.raises(UserError, match="examples of test: predicted similarities are not all finite numbers"):
        measured(run, dataset, "test", ["Spearman"])


def test_the_program_writes_what_tables_and_tests_read(tmp_path):
    dataset = written(tmp_path / "d", [("a", "b", "c")] * 3)
    artifact = Artifact(tmp_path / "runs" / "d.test.json")
    run = alike.run_of(np.arange(3), np.array([[1, 0, 0], [0, 1, 0], [1, 0, 2]], np.float32))
    write_run(artifact, run)
    artifact.seal()
    given = {"dataset": dataset.manifest, "run": artifact.manifest}
    settings = {"split": "test", "metrics": ["Accuracy"]}
    output = call("evaluate_examples", tmp_path / "scores" / "d.test.json", settings, **given)
    assert read_manifest(output)["facts"] == {"metrics": {"Accuracy": 0.666667}, "queries": 3}
    table = pd.read_parquet(output.with_suffix(".parquet"))
    assert table.to_dict("list") == {"query": [0, 1, 2], "Accuracy": [1.0, 0.0, 1.0]}
