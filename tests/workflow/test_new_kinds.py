"""A new kind is a file: it can be used at once, and nothing that is finished is made anew."""

import subprocess
import sys

import pytest

from workflow.conftest import Project, copy_project, environment
from workflow.new_kinds import FILES, MISTAKES, STUDY


def add_kinds(project: Project) -> None:
    for name, text in FILES.items():
        (project.folder / "scripts/dewpoint" / name).write_text(text.lstrip())


def python(project: Project, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words], cwd=project.folder, capture_output=True, text=True, env=environment()
    )


@pytest.fixture(scope="module")
def widened(tmp_path_factory) -> Project:
    project = copy_project(tmp_path_factory.mktemp("kinds") / "project")
    add_kinds(project)
    (project.folder / "studies/new.yaml").write_text(STUDY)
    return project


def test_new_kinds_rerun_nothing(project):
    add_kinds(project)
    assert project.pending() == {}


EDITS = {  # none of these can change what was made
    "a description": ("rankers/bm25.py", 'description="how much less it', 'description="by how much less it'),
    "a default that is not used": ("recipes/_retrieval.py", "Field(200, description", "Field(201, description"),
    "the small self of a kind": ("recipes/_retrieval.py", '"epochs": 1,', '"epochs": 2,'),
    "a cost": ("rankers/bm25.py", "= 15_000, 4_000", "= 16_000, 4_000"),
    "tiny files": ("sources/dpr.py", '"dataset": "tiny"', '"dataset": "tinier"'),
    "a function that nobody calls": ("search/exact.py", "def pick()", "def unused():\n    return 1\n\n\ndef pick()"),
    "a class that nobody uses": ("study/grammar.py", "class Study(", "class Other:\n    pass\n\n\nclass Study("),
    "a purpose of random numbers": ("data/streams.py", "PROXY = 6", "PROXY = 6\nANOTHER = 7"),
    "a check": ("recipes/_encoding.py", "yield from super().check(study)", "yield from list(super().check(study))"),
}


def test_what_cannot_change_a_result_reruns_nothing(project):
    for file, old, new in EDITS.values():
        project.edit(f"scripts/dewpoint/{file}", old, new)
    assert project.pending() == {}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_in_a_new_kind_is_one_line(widened, tmp_path, old, new, message):
    assert old in STUDY
    (tmp_path / "study.yaml").write_text(STUDY.replace(old, new, 1))
    code = "import sys; sys.path.insert(0, 'scripts')\nfrom pathlib import Path\nfrom dewpoint.study.load import *\n"
    code += "try:\n    load_study(Path(sys.argv[1]))\nexcept UserError as error:\n    print(error)"
    told = python(widened, "-c", code, str(tmp_path / "study.yaml"))
    assert message in told.stdout and len(told.stdout.splitlines()) == 1, told.stdout + told.stderr


def test_new_kinds_are_planned(widened):
    (widened.folder / "my").mkdir()
    (widened.folder / "my/numbers.txt").write_text("12\n34\n")
    told = python(widened, "scripts/plan.py", "studies/new.yaml")
    assert told.returncode == 0, told.stderr
    jobs = {line.split()[0]: line.split()[1:] for line in told.stdout.splitlines() if len(line.split()) == 5}
    assert float(jobs["shaken"][1].replace(",", "")) > 0 and jobs["rank_reversed"][0] == "2"


def test_new_kinds_are_rehearsed_and_reported(widened):
    widened.snakemake("--config", "study=studies/new.yaml", "rehearse=true")
    results = widened.folder / "results/rehearsal/new"
    page = (results / "report.html").read_text()
    for said in ("How many", "a-figure-of-counts", "passages found", "wobbly", "shaken", "reversed"):
        assert said in page
    metrics = (results / "models/trained/metrics.jsonl").read_text()
    assert '"hinge"' in metrics
    told = widened.snakemake("--dry-run", "--config", "study=studies/new.yaml", "rehearse=true")
    assert "Nothing to be done" in told.stdout + told.stderr
