"""A metric over a setting: means and deviations are those of the rankers that the names say."""

import json

import numpy as np
import pandas as pd
import pytest

from dewpoint.data.runs import Run
from dewpoint.errors import UserError
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import beir, call, prepare
from sample_study import load
from stored import store_run

VARIED = """\
  "{init}-{queries}-{seed}":
    vary: {init: [bert, co], queries: [5, all], seed: [1, 2]}
    recipe: retriever
    from: "{init}"
    train_queries: "{queries}"
    seed: "{seed}"
    data: d
    negatives: [bm25]
"""
ENTRY = """\
analyses:
  little:
    kind: series
    rankers: "{init}-{queries}-{seed}"
    axes: {init: [bert, co], queries: [5, all], seed: [1, 2]}
    x: queries
    lines: init
    on: own/test
"""
STUDY = (("rankers:", f"{VARIED}rankers:"), ("tables:", f"{ENTRY}tables:"))
NAMES = [f"{init}-{queries}-{seed}" for init in ("bert", "co") for queries in (5, "all") for seed in (1, 2)]


def settings_of(tmp_path, *changes):
    graph = Graph(Config(study="s.yaml"), load(tmp_path, *STUDY, *changes))
    return json.loads(graph.analysis_settings("little")), graph


def test_names_are_those_of_the_vary(tmp_path):
    settings, graph = settings_of(tmp_path)
    runs = [f"results/s/runs/{name}/own.test.json" for name in NAMES]
    assert graph.analysis_inputs("little") == {"runs": runs, "dataset": ["data/own/manifest.json"]}
    assert [point["ranker"] for point in settings["points"]] == NAMES
    assert {*NAMES} <= graph.needed.models.keys()


@pytest.fixture
def dataset(tmp_path):
    """Two queries; a query's passage is that of its number."""
    (tmp_path / "files").mkdir()
    corpus = "".join(json.dumps({"_id": f"p{row}", "text": f"text {row}"}) + "\n" for row in range(10))
    queries = "".join(json.dumps({"_id": f"q{row}", "text": f"asked {row}"}) + "\n" for row in range(2))
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{row}\tp{row}\t1\n" for row in range(2))
    return prepare(
        tmp_path,
        beir(tmp_path / "files", {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": qrels}),
    )


def test_seeds_are_averaged(tmp_path, dataset):
    """MRR is 1 / rank: each run has both passages at its own rank. The same each time, byte by byte."""
    settings, _ = settings_of(tmp_path)
    runs = []
    for rank, name in enumerate(NAMES, 1):
        passage = np.array([*range(9, 9 - rank + 1, -1), 0, *range(9, 9 - rank + 1, -1), 1], np.int32)
        run = Run(np.repeat(np.arange(2, dtype=np.int32), rank), passage, -np.arange(2 * rank, dtype=np.float32))
        runs.append(store_run(tmp_path, name, run))
    outputs = [
        call("analyses.series work", tmp_path / time / "manifest.json", settings, dataset=dataset, runs=runs)
        for time in ("one", "two")
    ]
    table = pd.read_parquet(outputs[0].parent / "series.parquet").set_index(["line", "x"])
    expected = {("bert", "5"): (1, 2), ("bert", "all"): (3, 4), ("co", "5"): (5, 6), ("co", "all"): (7, 8)}
    assert table.index.tolist() == [*expected]
    for key, ranks in expected.items():
        one, other = (1 / rank for rank in ranks)
        assert table.loc[key, "mean"] == pytest.approx((one + other) / 2)
        assert table.loc[key, "sd"] == pytest.approx(abs(one - other) / 2**0.5) and table.loc[key, "rankers"] == 2
    each = pd.read_parquet(outputs[0].parent / "rankers.parquet").set_index("ranker")["value"]
    assert each.to_dict() == pytest.approx({name: 1 / rank for rank, name in enumerate(NAMES, 1)})
    chart = (outputs[0].parent / "series.svg").read_text()
    assert chart.count("<polyline") == 2 and ">all<" in chart and ">co<" in chart
    for name in ("series.parquet", "rankers.parquet", "series.svg"):
        assert len({(output.parent / name).read_bytes() for output in outputs}) == 1


def test_numbers_lie_in_order(tmp_path, dataset):
    """Of one line without seeds, which has no deviation."""
    points = [{"ranker": name, "line": "", "x": name} for name in ("100", "5")]
    settings = {"points": points, "axis": "n", "values": ["100", "5"], "numbers": [100, 5]}
    runs = [store_run(tmp_path, name, Run(np.array([0]), np.array([0]), np.ones(1, np.float32))) for name in "ab"]
    settings |= {"split": "test", "metric": "MRR@10"}
    output = call("analyses.series work", tmp_path / "x/manifest.json", settings, dataset=dataset, runs=runs)
    table = pd.read_parquet(output.parent / "series.parquet")
    assert table["mean"].tolist() == [0.5, 0.5] and table["sd"].isna().all()
    chart = (output.parent / "series.svg").read_text()
    assert chart.index(">5<") < chart.index(">100<") and ">MRR@10<" in chart and "nan" not in chart


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("    x: queries", "    x: query"), "x: 'query' is none of the axes, init, queries, seed"),
        (("    lines: init", "    lines: queries"), "lines: 'queries' is drawn from left to right already"),
        (('    rankers: "{init}-{queries}', '    rankers: "{init}'), "rankers: put {queries} in the names"),
        (("    axes: {init: [bert, co]", "    axes: {init: [bert, bert]"), "axes: two of the rankers have one name"),
        (("    axes: {init: [bert, co]", "    axes: {init: [bert, cop]"), "rankers: no ranker 'cop-5-1'; did you mean"),
        (("    on: own/test", "    on: own/tst"), "on: no judged split 'tst'; did you mean 'test'"),
        (
            ("    on: own/test", "    on: own/test\n    metric: latency@1"),
            "metric: latency@1 is no quality of a query's",
        ),
        (("    on: own/test", "    on: own/test\n    metric: MRR@2000"), "metric: MRR@2000 of 'bert-5-1', which keeps"),
    ],
)
def test_mistakes(tmp_path, change, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, *STUDY, change)
    assert f"analyses.little.{message}" in str(error.value) or f"analyses.little: {message}" in str(error.value)
