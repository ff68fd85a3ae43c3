"""The analysis of recall by depth: each figure is a plain count over the run."""

import json

import numpy as np
import pandas as pd

from dewpoint.analyses.recall import steps
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run
from programs import beir, call, prepare
from stored import store_run


def test_each_share_is_counted(tmp_path):
    (tmp_path / "files").mkdir()
    corpus = "".join(json.dumps({"_id": f"p{row}", "text": f"text {row}"}) + "\n" for row in range(12))
    queries = "".join(json.dumps({"_id": f"q{row}", "text": f"asked {row}"}) + "\n" for row in range(5))
    random = np.random.default_rng(3)
    judged = {(q, p) for q in range(5) for p in random.choice(12, 3, replace=False).tolist()}
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{q}\tp{p}\t1\n" for q, p in sorted(judged))
    dataset = prepare(
        tmp_path,
        beir(tmp_path / "files", {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": qrels}),
    )
    orders = {name: [random.permutation(12) for _ in range(5)] for name in ("one", "two")}
    runs = [
        store_run(
            tmp_path,
            name,
            Run(np.arange(5).repeat(12), np.concatenate(order), np.tile(-np.arange(12), 5).astype(np.float32)),
        )
        for name, order in orders.items()
    ]
    settings = {"rankers": ["one", "two"], "split": "test", "seed": 1}
    output = tmp_path / "made/manifest.json"
    call("analyses.recall work", output, settings, dataset=dataset, runs=runs)
    found = pd.read_parquet(output.parent / "recall.parquet").set_index(["ranker", "depth"])["recall"]
    ids = Dataset(dataset).column("queries.test", "id").to_pylist()
    asked = [int(id[1:]) for id in ids]
    for (ranker, depth), share in found.items():
        of = [
            len({p for p in orders[ranker][row][:depth].tolist() if (q, p) in judged}) / 3
            for row, q in enumerate(asked)
        ]
        assert share == np.mean(of)
    assert set(found.index.get_level_values("depth")) == {1, 2, 5, 10, 12}
    assert (output.parent / "recall.svg").read_text().count("<polyline") == 2


def test_depths_end_with_the_deepest():
    assert steps(1) == [1] and steps(10) == [1, 2, 5, 10] and steps(1000)[-3:] == [200, 500, 1000]
    assert steps(70) == [1, 2, 5, 10, 20, 50, 70]
