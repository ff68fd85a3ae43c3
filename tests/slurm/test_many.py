"""A thousand jobs at once: how long it takes to plan and to submit them, and to cancel them."""

import os
import signal
import time

from slurm import cluster
from slurm.conftest import told

JOBS, SECONDS = 1000, 120


def queued() -> int:
    return len(told("squeue", "--noheader", "--states=PENDING", "--format=%i").split())


def test_a_thousand_shards(copy, case):
    """The nodes take no jobs, so all that is submitted waits."""
    project = copy()
    project.edit("config.yaml", "shards: 2", f"shards: {JOBS}")
    project.edit("profiles/slurm/config.yaml", "jobs: 100 ", "jobs: 1100 ")
    for node in cluster.NODES:
        told("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    try:
        began = time.monotonic()
        run = project.start()
        while queued() < JOBS:
            assert run.process.poll() is None, run.log.read_text()[-3000:]
            time.sleep(0.5)
        seconds = time.monotonic() - began
        os.kill(run.process.pid, signal.SIGINT)
        run.end()
        while queued():
            time.sleep(0.5)
    finally:
        for node in cluster.NODES:
            told("scontrol", "update", f"NodeName={node}", "State=RESUME")
    assert run.log.read_text().count("has been submitted") == JOBS
    value = f"{seconds:.0f} s until all are queued, by sbatch, on nodes that are drained"
    case(value, f"at most {SECONDS} s", seconds <= SECONDS)
