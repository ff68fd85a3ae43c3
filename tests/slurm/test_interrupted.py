"""A training that is interrupted goes on where it was, and ends with the weights of one that was not.

All cases run at once: for most of the time they wait for SLURM.
"""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from slurm import cluster
from slurm.conftest import BERT, OnCluster, told, until

LOG = "mlm/bert.log"


def resumed(project: OnCluster) -> str:
    """What the log says of where the training went on, under the line by which it was stopped."""
    log = project.say(LOG)
    last = log.rpartition("== attempt ")[2]
    assert "; 8 rows a step" in last and last.count("resumed at step") == 1, log
    return last.partition("resumed at ")[2].partition(";")[0]


def time_limit(project: OnCluster) -> str:
    """In a partition whose jobs may last a minute."""
    project.edit("config.yaml", "max_runtime: null", "max_runtime: 1")
    project.edit("profiles/slurm/config.yaml", f"partition: {cluster.PARTITION}", f"partition: {cluster.SHORT}")
    run = project.start(BERT)
    project.held_in_training()  # SLURM wakes it, asks it to end, and would kill it
    said = run.end()
    assert run.process.returncode == 0, said[-3000:]
    assert "mlm: asks for 1 minutes, not 2880, as config.yaml's max_runtime says" in said
    assert "stopped at step" in project.say(LOG) and len(project.attempts(LOG)) == 3  # the copy's own is the first
    return f"resubmitted, resumed at {resumed(project)}"


def requeue(project: OnCluster) -> str:
    run = project.start(BERT)
    project.held_in_training()
    job = project.attempts(LOG)[-1][-1]
    told("scontrol", "requeue", job)
    said = run.end()
    assert run.process.returncode == 0 and said.count("has been submitted") == 1, said[-3000:]
    assert project.attempts(LOG)[-1][-1] == job
    return f"the same job, resumed at {resumed(project)}"


def scancel(project: OnCluster) -> str:
    run = project.start(BERT)
    project.held_in_training()
    told("scancel", project.attempts(LOG)[-1][-1])
    said = run.end()
    assert run.process.returncode == 0 and said.count("has been submitted") == 2, said[-3000:]
    return f"noticed, submitted again, resumed at {resumed(project)}"


def ctrl_c(project: OnCluster) -> str:
    run = project.start(BERT)
    project.held_in_training()
    job = project.attempts(LOG)[-1][-1]
    os.kill(run.process.pid, signal.SIGINT)
    run.end()
    assert run.process.returncode != 0
    until(lambda: job not in told("squeue", "--noheader", "--format=%i").split())
    assert not (project.folder / BERT).exists()
    project.done(BERT)
    return f"its job is cancelled, the next run resumed at {resumed(project)}"


def killed(project: OnCluster) -> str:
    """Snakemake dies, its job lives on; the next run makes a duplicate of it."""
    first = project.start(BERT)
    pid = project.held_in_training()
    first.process.kill()
    first.process.wait()
    project.unlock()
    second = project.start(BERT)
    until(lambda: len(project.attempts(LOG)) == 3)
    time.sleep(5)  # the duplicate has come to where it waits
    os.kill(pid, signal.SIGCONT)
    said = second.end()
    assert second.process.returncode == 0, said[-3000:]
    log = project.say(LOG)
    assert log.count("8 rows a step") == 2 and "resumed" not in log, log  # the copy's own, and the job's that lived on
    assert log.count("40/40 steps") == 2  # the whole of it is there
    return "trained once, the duplicate took it over"


CASES = (time_limit, requeue, scancel, ctrl_c, killed)


@pytest.fixture(scope="module")
def running(copy) -> Iterator[dict[str, tuple[OnCluster, Future]]]:
    projects = {case.__name__: copy() for case in CASES}
    for project in projects.values():
        project.forget(BERT)
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {case.__name__: (projects[case.__name__], pool.submit(case, projects[case.__name__])) for case in CASES}


@pytest.mark.parametrize("name", [case.__name__ for case in CASES])
def test_the_same_weights(name, running, finished, case):
    project, ending = running[name]
    value = ending.result()
    mine, whole = (made.record()["files"] for made in (project, finished[0]))
    assert mine["model.safetensors"] == whole["model.safetensors"]
    case(f"{value}, weights equal", "resumed, weights bitwise equal", name=name.replace("_", " "))
