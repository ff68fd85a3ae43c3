"""Metrics of examples equal scipy's and a slow reading, and are measured on a dataset that has nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.errors import UserError
from dewpoint.evaluation.metrics import measure_examples
from dewpoint.evaluation.registry import accuracy, pearson, spearman

VALUES = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 5)), min_size=2, max_size=30)


@given(VALUES, st.floats(0.01, 100), st.floats(-10, 10))
def test_correlations_equal_scipys(pairs, scale, shift):
    """With many ties; in float32, as scores are stored."""
    predicted, scores = np.array(pairs, np.float32).T
    predicted = predicted * np.float32(scale) + np.float32(shift)
    if min(len(np.unique(predicted)), len(np.unique(scores))) > 1:
        exact = predicted.astype(float), scores.astype(float)
        assert pearson(predicted, scores) == pytest.approx(stats.pearsonr(*exact).statistic, abs=1e-9)
        assert spearman(predicted, scores) == pytest.approx(stats.spearmanr(*exact).statistic, abs=1e-9)


def test_spearman_by_hand():
    """Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: a covariance of 4.5, variances of 4.5 and 5."""
    assert spearman(np.array([0.1, 0.2, 0.2, 9.0]), np.array([1, 2, 3, 4])) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 3), min_size=1))
def test_accuracy_counts_what_is_nearer(rows):
    """Equally near is not nearer; how alike texts 2 and 3 are does not matter."""
    assert accuracy(np.array(rows)) == pytest.approx(sum(a > b for a, b, _ in rows) / len(rows))


def written(folder, rows, scores=None) -> Dataset:
    writer = DatasetWriter(Artifact(folder / "sts" / "manifest.json"))
    for number, texts in enumerate(rows):
        writer.example(f"file:{number}", "dev", texts, None if scores is None else scores[number])
    writer.finish()
    writer.artifact.seal()
    return Dataset(writer.artifact.manifest)


def vectors(texts) -> np.ndarray:
    """Of a text, how often each letter is in it, at length 1."""
    counted = np.array([[text.count(letter) for letter in "abcde"] for text in texts.to_pylist()], float)
    return counted / np.linalg.norm(counted, axis=1, keepdims=True)


PAIRS = [("aab", "aab"), ("abc", "cde"), ("aa", "bb"), ("abd", "ab"), ("ae", "ea")]
SCORES = [5.0, 1.25, 0.0, 3.75, 4.75]


def test_pairs_from_text_to_value(tmp_path):
    dataset = written(tmp_path, PAIRS, SCORES)
    (first, second), _ = dataset.examples("dev")
    cosines = (vectors(first) * vectors(second)).sum(1)
    found = measure_examples(cosines, dataset, "dev", ["Spearman", "Pearson"])
    assert found == pytest.approx(
        {"Spearman": stats.spearmanr(cosines, SCORES).statistic, "Pearson": stats.pearsonr(cosines, SCORES).statistic}
    )
    assert found["Spearman"] > 0.8


def test_triplets_from_text_to_value(tmp_path):
    """The first two are right; of the third both texts are equally near, the fourth is wrong."""
    dataset = written(tmp_path, [("ab", "ba", "cd"), ("abc", "ab", "ade"), ("a", "ab", "ac"), ("ab", "cd", "abe")])
    one, two, three = map(vectors, dataset.examples("dev")[0])
    predicted = np.stack([(a * b).sum(1) for a, b in ((one, two), (one, three), (two, three))], axis=1)
    assert measure_examples(predicted, dataset, "dev", ["Accuracy"]) == {"Accuracy": 0.5}


@pytest.mark.parametrize(
    ("rows", "scores", "predicted", "metric", "message"),
    [
        (PAIRS, SCORES, np.arange(4.0), "Spearman", "4 × 1 similarities were predicted, expected 5 × 1"),
        (PAIRS, SCORES, np.zeros(0), "Spearman", "0 × 1 similarities were predicted, expected 5 × 1"),
        (PAIRS, SCORES, np.array([0, 1, 2, 3, np.nan]), "Pearson", "predicted similarities are not all finite numbers"),
        (PAIRS, SCORES, np.ones(5), "Pearson", "no Pearson, as the scores or what was predicted are all the same"),
        (PAIRS, [2] * 5, np.arange(5), "Spearman", "no Spearman, as the scores or what was predicted are all the same"),
        (PAIRS, None, np.arange(5), "Spearman", "Spearman needs pairs with scores"),
        (PAIRS, SCORES, np.arange(5), "Accuracy", "Accuracy needs triplets"),
        ([("a", "b", "c")], [1.0], np.ones((1, 3)), "Pearson", "Pearson needs pairs with scores"),
        ([("a", "b", "c")], None, np.ones(1), "Accuracy", "1 × 1 similarities were predicted, expected 1 × 3"),
    ],
)
def test_what_cannot_be_measured_is_said(tmp_path, rows, scores, predicted, metric, message):
    with pytest.raises(UserError) as error:
        measure_examples(predicted, written(tmp_path, rows, scores), "dev", [metric])
    assert str(error.value) == f"{tmp_path}/sts: examples of dev: {message}"


def test_a_metric_of_runs_is_none_of_examples(tmp_path):
    with pytest.raises(UserError, match=r"^MRR@10 is no metric of examples; write Pearson, Spearman, Accuracy$"):
        measure_examples(np.arange(5), written(tmp_path, PAIRS, SCORES), "dev", ["MRR@10"])
