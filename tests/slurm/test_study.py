"""A study through the profile for SLURM: as on one machine, with what a cluster adds."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file

from slurm import cluster
from slurm.conftest import BERT, OnCluster, told, until

TIMES = 2  # as long as on one machine, at most


def contents(project: OnCluster) -> dict[str, str]:
    """What each artifact holds, by its manifest; the page shows seconds, too."""
    paths = [path for top in ("results", "data") for path in (project.folder / top).rglob("*.json")]
    records = {str(path.relative_to(project.folder)): json.loads(path.read_text()) for path in paths}
    return {name: record["content"] for name, record in records.items() if "content" in record and "report" not in name}


def test_the_same_as_on_one_machine(local, finished, case):
    (here, seconds), (there, longer) = local, finished
    assert contents(there) == contents(here) != {}
    case(f"{len(contents(here))} artifacts equal", "all of them")
    ratio = longer / seconds
    value = f"{longer:.0f} s, {ratio:.1f} times the {seconds:.0f} s of one machine"
    case(value, f"at most {TIMES} times", ratio <= TIMES, name="the time of a study")


def test_jobs_at_once_have_devices_of_their_own(finished, case):
    """The shards of a corpus and the queries are encoded at the same time."""
    jobs = [finished[0].attempts(f"encode/first/{part}.log")[-1] for part in (
        "pydocs.corpus-0of2", "pydocs.corpus-1of2", "pydocs.queries.test-0of1"
    )]  # fmt: skip
    devices = [(node, gpus) for _, node, gpus, _ in jobs]
    assert all(re.fullmatch(r"\d", gpus) for _, gpus in devices) and len(set(devices)) == len(devices), devices
    assert finished[0].attempts("evaluate/bm25/pydocs.test.log")[-1][2] == ""
    case(", ".join(f"{node}'s GPU {gpu}" for node, gpu in devices), "a device each, of SLURM's choice")


def test_a_mistake_is_not_tried_again(copy, case):
    project = copy()
    corpus = project.folder / "data/pydocs/corpus.parquet"
    corpus.write_bytes(bytes(100) + corpus.read_bytes()[100:])
    project.forget("results/mini/indexes/bm25/pydocs/manifest.json")
    run = project.start("results/mini/indexes/bm25/pydocs/manifest.json")
    said = run.end()
    assert run.process.returncode == 1
    assert said.count("has been submitted") == 1 and "Trying to restart" not in said
    last = said.splitlines()[-1]
    assert last.startswith("results/mini/logs/index/bm25/pydocs.log: error: data/pydocs/corpus.parquet: "), last
    case("one attempt, its line is the last", "one attempt, its line is the last")


def test_a_drained_node(copy, case):
    project, score = copy(), "results/mini/scores/bm25/pydocs.test.json"
    (project.folder / score).unlink()
    told("scontrol", "update", "NodeName=node1", "State=DRAIN", "Reason=test")
    try:
        project.done(score)
    finally:
        told("scontrol", "update", "NodeName=node1", "State=RESUME")
    assert project.attempts("evaluate/bm25/pydocs.test.log")[-1][1] == "node2"
    case("ran on the other", "jobs go to the other")


def test_several_nodes(copy, case):
    """Two processes on two nodes find what two on one node find, within rounding, and nothing of it is a setting."""
    shared = {}
    for name, gpus, nodes in (("one node", 2, 1), ("two nodes", 1, 2)):
        project = copy()
        project.edit("config.yaml", "gpus: 1", f"gpus: {gpus}")
        project.edit("config.yaml", "nodes: 1", f"nodes: {nodes}")
        assert "Nothing to be done" in project.snakemake("--dry-run", BERT).stdout
        project.forget(BERT)
        project.done(BERT)
        assert project.record()["facts"]["devices"] == 2
        shared[name] = load_file((project.folder / BERT).with_name("model.safetensors"))
    differ = max(float((shared["one node"][key] - shared["two nodes"][key]).abs().max()) for key in shared["one node"])
    for key, tensor in shared["one node"].items():
        torch.testing.assert_close(shared["two nodes"][key], tensor, rtol=0, atol=1e-5)
    case(f"largest difference {differ:.1e}", "below 1e-5")


@pytest.fixture
def without_accounting(finished):
    cluster.down()
    cluster.up(accounting=False)


def test_z_no_accounting(copy, without_accounting, case):
    """The last: the cluster is another one from here on."""
    project, score = copy(), "results/mini/scores/bm25/pydocs.test.json"
    (project.folder / score).unlink()
    project.done(score)
    until(lambda: len(project.attempts("evaluate/bm25/pydocs.test.log")) == 2)
    case("goes through", "goes through")
