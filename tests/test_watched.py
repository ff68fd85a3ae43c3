"""How far a study is, from made-up files: what is done, what is at work and where it is, what has failed and why."""

import json
import os
from pathlib import Path

import pytest

from dewpoint.study.graph import PROJECT, Graph
from dewpoint.study.jobs import jobs_of
from dewpoint.watched import Job, look, screen
from programs import write_files

STUDY = """\
datasets: {d: {source: pydocs, packages: [json]}}
models:
  new: {recipe: mlm, from: scratch, data: d, architecture: {layers: 2, hidden: 32, heads: 2, vocabulary: 500}}
  first: {recipe: retriever, from: new, data: d, negatives: [bm25]}
rankers: {bm25: {kind: bm25}}
tables: {t: {rankers: [bm25, first], on: d/test, metrics: [MRR@10], baseline: bm25}}
"""
ATTEMPT = "== attempt 1, 2026-01-01T00:00:00+0000, here\n"
LINE = "40/1,000 steps  loss 6.200  mlm 5.000  2,345 tokens/s  0:12 left\n"


@pytest.fixture
def jobs(tmp_path, monkeypatch) -> dict[str, Job]:
    """By stage and name."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {"s.yaml": STUDY})
    return {f"{job.stage} {job.name}".strip(): job for job in jobs_of(Graph.load({"study": "s.yaml"}))}


def test_nothing_is_there(jobs, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert screen("s.yaml", [*jobs.values()]) == f"s.yaml: 0 of {len(jobs)} jobs done, 0 in work, 0 failed"
    assert sorted(tmp_path.rglob("*")) == before


def test_jobs_come_after_what_they_need(jobs):
    names = [*jobs]
    assert names[-1] == "report" and len(names) == len({job.manifest for job in jobs.values()})
    needs = [
        ("prepare d", "tokenizer d-bert-500"),
        ("tokenize d/d-bert-500", "mlm new"),
        ("mlm new", "retriever first"),
    ]
    needs += [("index bm25/d", "rank bm25/d.train"), ("encode first/d.corpus-0of1", "rank first/d.test")]
    needs += [("evaluate first/d.test", "compare t"), ("compare t", "table t")]
    for one, other in needs:
        assert names.index(one) < names.index(other)


def test_a_training_at_work(jobs):
    """The journal may be further than the log; half a line at its end is none."""
    write_files(jobs["prepare d"].manifest.parent, {"manifest.json": "{}"})
    job = jobs["mlm new"]
    write_files(Path(), {str(job.log): f"{ATTEMPT}120/1,000 steps  loss 1.0  9 tokens/s  9:99 left\n{ATTEMPT}{LINE}"})
    all_jobs, begins = [*jobs.values()], f"s.yaml: 1 of {len(jobs)} jobs done, 1 in work, 0 failed\n"
    bar = f"[█{'·' * 23}]"
    assert screen("s.yaml", all_jobs, 200) == (
        f"{begins}  mlm new: {bar} 40/1,000 steps  loss 6.200  mlm 5.000  2,345 tokens/s  0:12 left"
    )
    lines = [json.dumps({"step": step, "loss": 6 - step / 100, "mlm": 1.0}) for step in range(250)]
    workspace = job.manifest.parent.parent / ".unfinished" / "new-0123456789abcdef"
    write_files(workspace, {"metrics.jsonl": "\n".join(lines) + '\n{"step": 250, "lo'})
    write_files(workspace.parent / "new-er-0123456789abcdef", {"metrics.jsonl": '{"step": 999, "loss": 0}\n'})
    bar = f"[{'█' * 6}{'·' * 18}]"
    assert screen("s.yaml", all_jobs, 200) == (
        f"{begins}  mlm new: {bar} 250/1,000 steps  loss 3.510  2,345 tokens/s  0:12 left"
    )
    written = max(job.log.stat().st_mtime, (workspace / "metrics.jsonl").stat().st_mtime)
    assert screen("s.yaml", all_jobs, 200, written + 700).endswith("left  (silent for 11:40)")


def test_failures_are_the_last_with_their_last_word(jobs):
    for number, name in enumerate(["prepare d", "index bm25/d", "rank bm25/d.test", "mlm new"]):
        word = "error: d: no\x1b[2J room\n" if number else "Traceback (most recent call last):\nValueError: why\n"
        write_files(Path(), {str(jobs[name].log): f"{ATTEMPT}{LINE}{word}"})
        os.utime(jobs[name].log, (0, 1000 - number))
    _, working, wrong = look([*jobs.values()])
    assert not working and [f"{job.stage} {job.name}" for job, _ in wrong][-1] == "prepare d"
    shown = screen("s.yaml", [*jobs.values()], 200).splitlines()
    assert shown[0].endswith("0 in work, 4 failed") and len(shown) == 1 + 3 * 2
    assert shown[-2:] == ["failed: prepare d: ValueError: why", f"  {jobs['prepare d'].log}"]
    assert shown[1] == "failed: rank bm25/d.test: error: d: no[2J room"


def test_an_attempt_after_a_failure_is_at_work(jobs):
    write_files(Path(), {str(jobs["prepare d"].log): f"{ATTEMPT}error: no room\n{ATTEMPT}1,000 passages\n"})
    assert screen("s.yaml", [*jobs.values()]).splitlines()[1:] == ["  prepare d: 1,000 passages"]


@pytest.mark.parametrize("study", ["quickstart", "condenser", "cocondenser"])
@pytest.mark.parametrize("rehearse", [False, True])
def test_the_jobs_of_a_study_have_distinct_logs_of_their_own(study, rehearse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where nothing was made of another definition
    jobs = jobs_of(Graph.load({"study": str(PROJECT / f"studies/{study}.yaml"), "rehearse": rehearse}))
    assert len({job.log for job in jobs}) == len(jobs) == len({job.manifest for job in jobs})
