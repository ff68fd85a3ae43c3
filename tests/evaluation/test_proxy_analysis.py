"""The analysis of what was measured in training: correlations are numpy's, the full measure a plain count."""

import json

import numpy as np
import pandas as pd
import pytest

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run
from programs import beir, call, prepare
from stored import store_run

QUERIES, PASSAGES = 6, 9


@pytest.fixture
def made(tmp_path):
    """Four models with their runs, and the mean reciprocal rank of each."""
    (tmp_path / "files").mkdir()
    corpus = "".join(json.dumps({"_id": f"p{row}", "text": f"text {row}"}) + "\n" for row in range(PASSAGES))
    queries = "".join(json.dumps({"_id": f"q{row}", "text": f"asked {row}"}) + "\n" for row in range(QUERIES))
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{row}\tp{row}\t1\n" for row in range(QUERIES))
    files = {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": qrels}
    dataset = prepare(tmp_path, beir(tmp_path / "files", files))
    random, asked = np.random.default_rng(3), Dataset(dataset).column("queries.test", "id").to_pylist()
    models, runs, full = [], [], []
    for number in range(4):
        orders = [random.permutation(PASSAGES) for _ in asked]
        full.append(
            np.mean([1 / (1 + order.tolist().index(int(id[1:]))) for id, order in zip(asked, orders, strict=True)])
        )
        scores = np.tile(-np.arange(PASSAGES), QUERIES).astype(np.float32)
        runs.append(
            store_run(
                tmp_path, f"run{number}", Run(np.arange(QUERIES).repeat(PASSAGES), np.concatenate(orders), scores)
            )
        )
        artifact = Artifact(tmp_path / f"model{number}" / "manifest.json")
        artifact.facts |= {"best_development_MRR@10": float(random.random())}
        artifact.seal()
        models.append(artifact.manifest)
    return tmp_path, dataset, models, runs, full


def analysed(folder, dataset, models, runs):
    settings = {"models": [path.parent.name for path in models], "metric": "MRR@10", "split": "test", "seed": 1}
    output = folder / "made" / "manifest.json"
    call("analyses.proxy work", output, settings, dataset=dataset, trained=models, runs=runs)
    return output


def test_both_measures_are_set_side_by_side(made):
    folder, dataset, models, runs, full = made
    output = analysed(folder, dataset, models, runs)
    found = pd.read_parquet(output.parent / "proxy.parquet")
    assert found["full"].tolist() == pytest.approx(full)
    facts, proxy = json.loads(output.read_text())["facts"], found["development"].to_numpy()
    ranks = [np.argsort(np.argsort(values)) for values in (proxy, full)]
    assert facts["pearson"] == pytest.approx(np.corrcoef(proxy, full)[0, 1], abs=1e-4)
    assert facts["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-4)
    assert (output.parent / "proxy.svg").read_text().count("<polyline") == 1


def test_a_model_that_was_not_measured(made):
    folder, dataset, models, runs, _ = made
    models[2] = Artifact(folder / "plain" / "manifest.json")
    models[2].seal()
    models[2] = models[2].manifest
    with pytest.raises(SystemExit, match=r"plain/manifest.json: nothing was measured while it was trained; name a"):
        analysed(folder, dataset, models, runs)
