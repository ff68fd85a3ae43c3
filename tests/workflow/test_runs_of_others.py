"""Fusions with tuned weights, exports, and runs that come in as files, by Snakemake."""

import gzip
import json

import pandas as pd
import pytest
import yaml

from workflow.conftest import JOB, Project, copy_project

STUDY = {
    "datasets": {"docs": {"source": "pydocs", "packages": ["asyncio", "email"]}},
    "rankers": {
        "one": {"kind": "bm25", "depth": 50},
        "two": {"kind": "bm25", "k1": 3, "b": 1, "depth": 50},
        "best": {"kind": "fusion", "of": ["one", "two"], "method": "weighted", "scale": "z", "tune": {"steps": 4}},
        "deep": {"kind": "fusion", "of": ["best", "two"]},
    },
    "tables": {
        "t": {"rankers": ["one", "best", "deep"], "on": "docs/test", "metrics": ["MRR@10"], "baseline": "best"},
    },
}
CONFIG = ("--config", "study=studies/words.yaml")


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> Project:
    """A finished study without any model."""
    project = copy_project(tmp_path_factory.mktemp("words") / "project")
    write(project, STUDY)
    project.snakemake(*CONFIG)
    return project


def write(project: Project, study: dict) -> None:
    (project.folder / "studies/words.yaml").write_text(yaml.safe_dump(study, sort_keys=False))


def pending(project: Project) -> set[str]:
    told = project.snakemake("--dry-run", *CONFIG)
    return {rule for rule, _ in JOB.findall(told.stdout + told.stderr)}


def test_tuned_weights_are_an_input_of_the_fusion(words):
    results = words.folder / "results/words"
    tuned = json.loads((results / "indexes/best/docs/manifest.json").read_text())
    assert tuned["facts"]["tried"] == 5 and sum(tuned["facts"]["weights"]) == 1
    assert {path.split("/")[-1] for path in tuned["inputs"]} == {"manifest.json", "docs.dev.json"}
    fused = json.loads((results / "runs/best/docs.test.json").read_text())
    assert "results/words/indexes/best/docs/manifest.json" in fused["inputs"]
    assert "tuned weights" in (results / "report.html").read_text()


def test_a_table_with_a_baseline_is_told_how_its_rankers_compare(words):
    results = words.folder / "results/words"
    found = pd.read_parquet(results / "comparisons/t.parquet").set_index("ranker")
    values = pd.read_csv(results / "tables/t.csv", index_col="ranker")["MRR@10"]
    assert found.index.tolist() == ["one", "deep"] and (found["baseline"].round(6) == values["best"]).all()
    assert found["mean"].round(6).to_dict() == values.drop("best").to_dict()
    assert json.loads((results / "comparisons/t.json").read_text())["facts"]["baseline"] == "best"


def test_an_export_comes_in_again_as_the_same_ranker(words):
    assert pending(words) == set()
    exports = [f"results/words/exports/best/docs.test.{suffix}" for suffix in ("trec", "msmarco.tsv")]
    words.snakemake(*exports, *CONFIG)
    rankers = {}
    for name, export in zip(("trec", "marco"), exports, strict=True):
        (words.folder / f"{name}.gz").write_bytes(gzip.compress((words.folder / export).read_bytes()))
        rankers[name] = {"kind": "file", "on": "docs", "runs": {"test": f"{name}.gz"}}
    table = STUDY["tables"]["t"] | {"rankers": ["best", "trec", "marco"]}
    write(words, STUDY | {"rankers": STUDY["rankers"] | rankers, "tables": {"t": table}})
    words.snakemake(*CONFIG)
    values = pd.read_csv(words.folder / "results/words/tables/t.csv", index_col="ranker")["MRR@10"]
    assert values["best"] == values["trec"] == values["marco"] > 0
    assert pd.read_parquet(words.folder / "results/words/comparisons/t.parquet")["bootstrap"].tolist() == [1, 1]
    assert pending(words) == set()
    (words.folder / "trec.gz").write_bytes(gzip.compress(b""))
    assert {"rank_file", "evaluate"} <= pending(words) and "rank_fusion" not in pending(words)
