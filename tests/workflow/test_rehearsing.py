"""A rehearsal by Snakemake: of a study of one's own files and of released models, none of which is read."""

from pathlib import Path

import pandas as pd
import pytest

from dewpoint.artifact import read_manifest
from workflow.conftest import JOB, Project, copy_project

OWN = """\
datasets:
  b: {source: beir, path: my/beir}
  t:
    source: table
    corpus: {file: a/rows.csv, columns: {text: body}}
    queries: {train: {file: q/rows.tsv.gz}, test: {file: q/more.jsonl}}
    judgements: {train: {file: j/rows.tsv}, test: {file: j/more.parquet, relevant: 2}}
  w: {source: text, files: [wiki/*.jsonl.zst, books.txt], title: name}
  v: {source: tevatron, corpus: [corpus/*.jsonl], queries: {train: t/train.jsonl.gz, test: t/test.jsonl}}
models:
  pre: {recipe: condenser, from: hub:google-bert/bert-base-uncased, data: w}
  one: {recipe: retriever, from: pre, data: b, negatives: [bm25]}
  two:
    recipe: retriever
    from: hub:distilbert/distilbert-base-uncased
    query_from: hub:FacebookAI/xlm-roberta-base
    projection: {size: 128}
    data: v
    negatives: [theirs]
  three: {recipe: released, from: hub:microsoft/mpnet-base}
rankers:
  bm25: {kind: bm25}
  theirs: {kind: given, list: negatives}
  submitted: {kind: file, on: t, runs: {test: submitted.trec}}
  listed: {kind: dense, model: three, index: {name: ivf, nlist: 65536, nprobe: 2}}
tables:
  b: {rankers: [bm25, one], on: b/test, metrics: [R@1000]}
  t: {rankers: [three, listed, submitted], on: t/test, metrics: [R@1000]}
  v: {rankers: [two], on: v/test, metrics: [Hit@20]}
"""
FILES = """
my/beir/corpus.jsonl my/beir/queries.jsonl my/beir/qrels/train.tsv my/beir/qrels/test.tsv a/rows.csv q/rows.tsv.gz
q/more.jsonl j/rows.tsv j/more.parquet wiki/1.jsonl.zst wiki/2.jsonl.zst books.txt corpus/1.jsonl t/train.jsonl.gz
t/test.jsonl submitted.trec
"""
STUDY = "study=studies/own.yaml"


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Project:
    """The study, and files that are there but hold nothing."""
    project = copy_project(tmp_path_factory.mktemp("rehearsal") / "project")
    (project.folder / "studies" / "own.yaml").write_text(OWN)
    for file in FILES.split():
        path = project.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return project


def planned(project: Project, *config: str) -> set[tuple[str, str]]:
    told = project.snakemake("--dry-run", "--config", STUDY, *config)
    return set(JOB.findall(told.stdout + told.stderr))


def made(project: Project) -> set[Path]:
    """What lies in data/ and results/."""
    return {
        path.relative_to(project.folder)
        for folder in ("data", "results")
        for path in (project.folder / folder).rglob("*")
        if path.is_file()
    }


def test_it_goes_through_and_leaves_nothing_that_a_real_run_takes(empty: Project):
    real = planned(empty)
    empty.snakemake("--config", STUDY, "rehearse=true")
    assert not planned(empty, "rehearse=true")
    assert planned(empty) == real
    assert all(path.parts[1] == "rehearsal" for path in made(empty))

    results, data = empty.folder / "results/rehearsal/own", empty.folder / "data/rehearsal"
    read = {name: pd.read_csv(results / "tables" / f"{name}.csv", index_col="ranker") for name in "btv"}
    assert list(read["b"].index) == ["bm25", "one"]
    assert read["b"].loc["bm25", "R@1000"] > 0.9  # questions hold words of their passages
    assert read["t"].notna().all(axis=None) and read["v"].notna().all(axis=None)
    classes = {
        path.parent.name: read_manifest(path)["facts"]["class"] for path in (data / "stand-ins").glob("*/manifest.json")
    }
    assert classes == {
        "google-bert--bert-base-uncased": "bert",
        "distilbert--distilbert-base-uncased": "distilbert",
        "FacebookAI--xlm-roberta-base": "xlm-roberta",
        "microsoft--mpnet-base": "mpnet",
    }
    assert "Rehearsal" in (results / "report.html").read_text()
