"""The whole chain, in miniature."""

import json
import re

import pandas as pd
import pyarrow.parquet as pq
import pytest

from workflow.conftest import copy_project


def contents(folder) -> dict[str, str]:
    """The hash of every run's rows."""
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())["content"]
        for path in sorted(folder.glob("results/mini/runs/*/*.json"))
    }


def recounted(folder, ranker: str) -> dict[str, float]:
    """MRR@10 and R@100 from a ranker's run and the judgements, query by query."""
    run = pq.read_table(folder / f"results/mini/runs/{ranker}/pydocs.test.parquet").to_pandas()
    judged = pq.read_table(folder / "data/pydocs/judgements.test.parquet").to_pandas()
    reciprocal, recall = [], []
    for query, relevant in judged[judged["grade"] > 0].groupby("query")["passage"]:
        found = run[(run["query"] == query) & run["passage"].isin(relevant)]["rank"]
        reciprocal.append(1 / found.min() if (found <= 10).any() else 0)
        recall.append((found <= 100).sum() / len(relevant))
    return {"MRR@10": sum(reciprocal) / len(reciprocal), "R@100": sum(recall) / len(recall)}


def test_every_stage_leaves_its_artifact(finished):
    results = finished.folder / "results" / "mini"
    table = pd.read_csv(results / "tables" / "stages.csv", index_col="ranker")[["MRR@10", "R@100"]]
    assert list(table.index) == [
        "bm25",
        "cocondenser-zero-shot",
        "bert-first",
        "condenser-first",
        "first",
        "second",
        "hybrid",
    ]
    for ranker in table.index:
        assert table.loc[ranker].to_dict() == pytest.approx(
            recounted(finished.folder, ranker), abs=5.1e-7
        )  # six digits
    for name in ("condenser", "cocondenser"):
        assert (results / "models" / name / "head.safetensors").exists()
    record = json.loads((results / "models" / "second" / "manifest.json").read_text())
    assert any(path.startswith("results/mini/negatives/bm25+first.pydocs.train-") for path in record["inputs"])
    assert record["run"]["seconds"] > 0 and record["run"]["peak_memory_mb"] > 0


def test_no_training_query_meets_its_positive_as_a_negative(finished):
    judged = pq.read_table(finished.folder / "data/pydocs/judgements.train.parquet").to_pandas()
    positives = set(zip(judged["query"], judged["passage"], strict=True))
    (path,) = (finished.folder / "results/mini/negatives").glob("bm25+first.*/negatives.parquet")
    negatives = pq.read_table(path).to_pandas()
    assert set(negatives["source"]) == {0, 1}
    pairs = {
        (query, passage)
        for query, passages in zip(negatives["query"], negatives["passages"], strict=True)
        for passage in passages
    }
    assert pairs and not pairs & positives


def test_two_runs_from_scratch_are_the_same(finished, tmp_path):
    again = copy_project(tmp_path / "again")
    again.snakemake()
    assert contents(again.folder) == contents(finished.folder) != {}


def test_a_run_ends_with_the_table_and_the_page(finished):
    told = finished.snakemake("--forcerun", "table")
    assert re.search(r"\| hybrid +\|", told.stdout + told.stderr)
    assert "results/mini/report.html" in told.stdout + told.stderr


def test_snakemakes_own_report(finished, tmp_path):
    finished.snakemake("--report", str(tmp_path / "report.html"))
    assert "stages" in (tmp_path / "report.html").read_text()


def test_a_broken_study_is_one_line(project):
    project.change("models", "second", negatives=["bm25", "frist"])
    failed = project.snakemake("--dry-run", check=False)
    assert failed.returncode == 1
    assert "models.second.negatives: no ranker 'frist'; did you mean 'first'?" in failed.stderr + failed.stdout


def test_what_was_cut_off_is_made_again_and_what_was_changed_is_named(project):
    corpus, index = project.folder / "data/pydocs/corpus.parquet", "results/mini/indexes/bm25/pydocs/manifest.json"
    whole = corpus.read_bytes()
    corpus.write_bytes(whole[:-100])
    project.snakemake("data/pydocs/manifest.json")
    assert corpus.read_bytes() == whole
    corpus.write_bytes(whole[:-100] + bytes(100))
    project.change("rankers", "bm25", k1=1.2)
    failed = project.snakemake(index, check=False)
    assert "error: data/pydocs/corpus.parquet: damaged, it does not hold what was written" in failed.stderr
    assert "Traceback" not in failed.stderr
