"""Published files, by Snakemake: jobs of their own, taken from a mirror or a folder, and only once."""

import json

import pytest
import yaml

from workflow.conftest import JOB, Project, copy_project

STUDY = {
    "datasets": {"marco": {"source": "msmarco-passage"}, "dpr": {"source": "dpr"}},
    "rankers": {"bm25": {"kind": "bm25"}},
    "tables": {
        "t": {"rankers": ["bm25"], "on": "marco/dev", "metrics": ["MRR@10"]},
        "u": {"rankers": ["bm25"], "on": "dpr/nq-test", "metrics": ["Hit@10"]},
    },
}
CONFIG = ("--config", "study=studies/published.yaml")
QUESTIONS = "data/downloads/nq-test.qa.csv"
JUDGEMENTS = "data/downloads/2019qrels-pass.txt"


@pytest.fixture
def published(tmp_path) -> Project:
    project = copy_project(tmp_path / "project")
    (project.folder / "studies/published.yaml").write_text(yaml.safe_dump(STUDY))
    (project.folder / "it's {here}").mkdir()
    (project.folder / "it's {here}/nq-test.qa.csv").write_text("who?\t['me']\n")
    return project


def test_a_dataset_waits_for_its_files(published):
    told = published.snakemake("--dry-run", *CONFIG)
    rules = [rule for rule, _ in JOB.findall(told.stdout + told.stderr)]
    assert (rules.count("download"), rules.count("prepare")) == (12, 2)


def test_files_are_taken_from_a_mirror_and_never_again(published):
    address = "https://dl.fbaipublicfiles.com/dpr/data/retriever/"
    published.edit("config.yaml", "mirrors: {}", f'mirrors: {{"{address}": "it\'s {{here}}"}}')
    published.snakemake(*CONFIG, "--", f"{QUESTIONS}.json")
    assert (published.folder / QUESTIONS).read_text() == "who?\t['me']\n"
    record = json.loads((published.folder / f"{QUESTIONS}.json").read_text())
    assert record["facts"]["from"] == "it's {here}/nq-test.qa.csv"
    published.edit("config.yaml", "mirrors: {", 'mirrors: {"https://trec.nist.gov": "https://elsewhere", ')
    told = published.snakemake("--dry-run", *CONFIG, "--", f"{QUESTIONS}.json")
    assert "Nothing to be done" in told.stdout + told.stderr


def test_what_is_not_in_the_folder_is_said_in_one_line(published):
    published.edit("config.yaml", "offline: null", 'offline: "it\'s {here}"')
    published.snakemake(*CONFIG, "--", f"{QUESTIONS}.json")
    told = published.snakemake(*CONFIG, "--", f"{JUDGEMENTS}.json", check=False)
    line = "error: it's {here}: no file '2019qrels-pass.txt' there; get it from https://trec.nist.gov/data/deep/"
    assert line in told.stdout + told.stderr
    assert not (published.folder / JUDGEMENTS).exists()
