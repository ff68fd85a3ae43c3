"""Claims of papers beside what was measured: means over seeds and queries, tested, corrected, in words."""

import json

import numpy as np
import pandas as pd
import pytest

from dewpoint.analyses.claims import compared, seeds, verdict
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run
from dewpoint.errors import UserError
from dewpoint.evaluation.significance import holm, resampled_with_seeds
from dewpoint.study.load import load_study
from programs import beir, call, prepare
from stored import store_run

QUERIES, PASSAGES = 40, 8
RANKS = {"a-1": 1, "a-2": 2, "b-1": 4, "b-2": 5, "c": 4}  # where most queries have what is relevant


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(the analysis' folder, reciprocal ranks of each ranker by query row)"""
    folder, random = tmp_path_factory.mktemp("claims"), np.random.default_rng(5)
    (folder / "files").mkdir()
    corpus = "".join(json.dumps({"_id": f"p{row}", "text": f"text {row}"}) + "\n" for row in range(PASSAGES))
    asked = "".join(json.dumps({"_id": f"q{row}", "text": f"asked {row}"}) + "\n" for row in range(QUERIES))
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{row}\tp0\t1\n" for row in range(QUERIES))
    dataset = prepare(
        folder, beir(folder / "files", {"corpus.jsonl": corpus, "queries.jsonl": asked, "qrels/test.tsv": qrels})
    )
    relevant = Dataset(dataset).column("corpus", "id").to_pylist().index("p0")
    others, runs, values = [row for row in range(PASSAGES) if row != relevant], [], {}
    for name, usual in RANKS.items():
        ranks = np.where(random.random(QUERIES) < 0.8, usual, random.integers(1, PASSAGES + 1, QUERIES))
        orders = [[*others[: rank - 1], relevant, *others[rank - 1 :]] for rank in ranks.tolist()]
        score = np.tile(-np.arange(PASSAGES), QUERIES).astype(np.float32)
        run = Run(np.arange(QUERIES, dtype=np.int32).repeat(PASSAGES), np.concatenate(orders).astype(np.int32), score)
        runs.append(store_run(folder, name, run))
        values[name] = 1 / ranks
    claims = [
        {"says": "a is better than b", "paper": ".9", "better": ["a-1", "a-2"], "than": ["b-1", "b-2"]},
        {"says": "b is better than a", "paper": "", "better": ["b-1"], "than": ["a-1"]},
        {"says": "c <is> better than b", "paper": "", "better": ["c"], "than": ["b-1"]},
    ]
    settings = {"rankers": list(RANKS), "split": "test", "metric": "MRR@10", "claims": claims, "seed": 3}
    output = folder / "made/manifest.json"
    call("analyses.claims work", output, settings, dataset=dataset, runs=runs)
    return output, values, claims


def test_each_claim_is_tested_over_queries_and_seeds(made):
    output, values, claims = made
    found = pd.read_parquet(output.parent / "claims.parquet")
    tests = []
    for claim in claims:
        better, than = (np.stack([values[name] for name in claim[side]], axis=1) for side in ("better", "than"))
        tests.append((better.mean() - than.mean(), *resampled_with_seeds(better, than, 3)))
    difference, low, high, p = np.array(tests).T
    for name, expected in (("difference", difference), ("low", low), ("high", high), ("p", holm(p))):
        np.testing.assert_allclose(found[name], expected, atol=1e-12)
    assert found["holds"].tolist() == ["yes", "no, the reverse", "not beyond chance"]
    assert json.loads(output.read_text())["facts"] == {
        "queries": QUERIES,
        "holds": found["holds"].tolist(),
        "says": "Claims that hold beyond chance: 1 of 3; that may be chance: 1; whose reverse holds: 1.",
    }


def test_means_are_said_with_the_deviation_of_seeds(made):
    found, values = pd.read_parquet(made[0].parent / "claims.parquet"), made[1]
    means = {name: of.mean() for name, of in values.items()}
    of = {side: [means[f"{side}-{seed}"] for seed in (1, 2)] for side in "ab"}
    first = " against ".join(f"{np.mean(of[side]):.3f} ± {np.std(of[side], ddof=1):.3f}" for side in "ab")
    assert found["here"].tolist() == [
        first,
        f"{means['b-1']:.3f} against {means['a-1']:.3f}",
        f"{means['c']:.3f} against {means['b-1']:.3f}",
    ]


def test_seeds_are_paired_each_with_each(made):
    found, values = pd.read_parquet(made[0].parent / "claims.parquet"), pd.DataFrame(made[1])
    better = sum(values[f"a-{a}"].mean() > values[f"b-{b}"].mean() for a in (1, 2) for b in (1, 2))
    assert found["seeds"].tolist() == [f"{better} of 4", "", ""] and better == 4
    assert seeds(values[["b-1", "c"]], values[["a-1"]]) == "0 of 2"


def test_a_single_query_says_nothing_of_chance():
    one = pd.DataFrame({"a": [0.5], "b": [0.25]})
    difference, *chance = compared(one[["a"]], one[["b"]], 1)
    assert difference == 0.25 and np.isnan(chance).all()


def test_the_figure_says_what_the_claims_are(made):
    figure = (made[0].parent / "claims.svg").read_text()
    assert "c &lt;is&gt; better than b" in figure and figure.count("<circle") == 3


def test_what_could_not_be_tested_holds_not():
    assert verdict(0.3, float("nan")) == "not beyond chance" and verdict(0.3, 0.05) == "not beyond chance"
    assert verdict(0.3, 0.049) == "yes" and verdict(-0.3, 0.049) == "no, the reverse"


STUDY = """\
datasets: {{d: {{source: pydocs, packages: [json]}}}}
rankers: {{one: {{kind: bm25}}, two: {{kind: bm25, k1: 2}}}}
analyses: {{said: {{kind: claims, on: d/test, metric: MRR@10, claims: [{{says: So., better: [{}], than: [{}]}}]}}}}
"""


@pytest.mark.parametrize(
    ("better", "than", "error"),
    [
        ("one", "three", "no ranker 'three'"),
        ("one, two", "two", "claim 1 has 'two' on both sides"),
        ("one, one", "two", "'one' is there twice"),
        ("", "two", "at least 1 item"),
    ],
)
def test_a_claim_names_rankers_of_the_study(tmp_path, better, than, error):
    (tmp_path / "s.yaml").write_text(STUDY.format(better, than))
    with pytest.raises(UserError, match=error):
        load_study(tmp_path / "s.yaml")


@pytest.mark.parametrize("metric", ["latency@1", "train-hours", "Spearman"])
def test_a_claim_is_of_what_each_query_has(tmp_path, metric):
    (tmp_path / "s.yaml").write_text(STUDY.format("one", "two").replace("MRR@10", metric))
    with pytest.raises(UserError, match=f"not each query has a value of {metric}"):
        load_study(tmp_path / "s.yaml")


def test_a_claims_rankers_are_what_it_is_made_from(tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY.format("two", "one"))
    analysis = load_study(tmp_path / "s.yaml").analyses["said"]
    assert [name for _, section, name in analysis.names() if section == "rankers"] == ["two", "one"]
    assert [ranker for _, ranker, _, _ in analysis.asks()] == ["two", "one"]
