"""Costs: figures that can be reckoned by hand, and that grow as the work does."""

import subprocess
import sys
from pathlib import Path

import pytest

from dewpoint.artifact import Artifact
from dewpoint.study.costs import Cost, Costs, summary
from dewpoint.study.graph import Graph
from programs import SCRIPTS
from sample_study import write

MARCO = 8_841_823
SHARD = "results/condenser/embeddings/bert-all/marco/corpus-0of1.json"


def costs(study: str = "studies/condenser.yaml", **config) -> Costs:
    return Costs(Graph.load({"study": study, **config}))


def test_encoding_by_hand():
    """BERT base has 12 · 12 · 768² weights beyond its embeddings; a passage 60 words of 1.35 pieces."""
    tokens, weights = 60 * 1.35, 12 * 12 * 768**2
    operations = MARCO * tokens * (2 * weights + 4 * 12 * 768 * tokens)
    cost = costs().of(SHARD)
    assert cost.operations == pytest.approx(operations)
    assert cost.bytes == MARCO * 768 * 2


@pytest.mark.parametrize(
    ("model", "layers", "width"),
    [("nq-bert-base", 12, 768), ("nq-roberta-large", 24, 1024), ("nq-deberta-xlarge-v2", 24, 1536)],
)
def test_layers_and_width_follow_from_a_name(model, layers, width):
    tokens, passages = 100 * 1.35, 21_015_324  # passages of 100 words
    cost = costs("studies/dpr-paq.yaml").of(f"results/dpr-paq/embeddings/{model}/wiki/corpus-0of1.json")
    assert cost.bytes == passages * width * 2
    assert cost.operations == pytest.approx(passages * tokens * layers * (24 * width**2 + 4 * width * tokens))


def test_training_by_hand():
    """503,000 queries, 3 epochs, 8 passages each, forward and backward."""
    encode = costs().of(SHARD).operations / MARCO  # of a passage
    trained = costs().of("results/condenser/models/bert-all/manifest.json").operations
    assert trained == pytest.approx(502_939 * 3 * 8 * 3 * encode, rel=0.03)  # queries are the rest


@pytest.mark.parametrize(
    ("fewer", "more"),
    [
        ("models/bert-1000/manifest.json", "models/bert-all/manifest.json"),
        ("models/condenser-all/manifest.json", "models/condenser-documents/manifest.json"),  # longer
        ("embeddings/bert-all/marco/queries.dev-0of1.json", "embeddings/bert-all/marco/corpus-0of1.json"),
        ("runs/bert-all/marco.dev.json", "runs/condenser-all/marco.train.json"),
    ],
)
def test_more_work_costs_more(fewer, more):
    few, many = (costs().of(f"results/condenser/{output}") for output in (fewer, more))
    assert 0 < few.operations < many.operations


def test_a_gpu_twice_as_fast_halves_the_hours():
    jobs = [("encode", SHARD)]
    slow, fast = (float(summary(costs(), jobs, speed).splitlines()[1].split()[2]) for speed in (0.5, 1))
    assert fast == pytest.approx(costs().of(SHARD).operations / 1e12 / 3600, abs=0.05) and fast > 1
    assert slow == pytest.approx(2 * fast, abs=0.2)


def test_shards_share_the_work():
    whole, part = costs().of(SHARD), costs(shards=4).of(SHARD.replace("0of1", "3of4"))
    assert part.operations == pytest.approx(whole.operations / 4) and part.bytes == whole.bytes / 4


def test_two_encoders_are_two_files():
    one, two = (f"results/condenser/models/{name}/manifest.json" for name in ("bert-all", "bert-nq-all"))
    assert costs().of(two).bytes == 2 * costs().of(one).bytes


def test_what_is_prepared_is_counted_and_what_is_not_is_said(tmp_path):
    study = str(write(tmp_path, ("on: d/test", "on: own/test")))
    before = costs(study, data=str(tmp_path / "data"))
    assert before.unknown() == ["own"]  # of docstrings it is known about how many there are
    index = f"{before.graph.results}/indexes/bm25/own/manifest.json"
    assert before.of(index) == Cost() and before.of(index.replace("own", "d")).core_hours > 0
    assert "Not counted: own, whose size" in summary(before, [("index_bm25", index)], 100)
    artifact = Artifact(tmp_path / "data/own/manifest.json")
    artifact.facts |= {"passages": 1000, "queries": {"train": 10, "test": 5}, "study": study}
    artifact.seal()
    after = costs(study, data=str(tmp_path / "data"))
    assert after.unknown() == []
    assert after.of(index).core_hours > 0


def test_the_summary_adds_up():
    one = costs()
    jobs = [
        ("encode", SHARD),
        ("encode", SHARD.replace("bert-all", "condenser-all")),
        ("table", "results/condenser/tables/x.csv"),
    ]
    lines = summary(one, jobs, 100).splitlines()
    encode = one.of(SHARD)
    hours = 2 * encode.operations / 100e12 / 3600
    assert lines[1].split() == ["encode", "2", f"{hours:.1f}", "0.0", f"{2 * encode.bytes / 1e9:.1f}"]
    assert lines[2].split() == ["table", "1", "0.0", "0.0", "0.0"]
    assert lines[3].split()[:2] == ["all", "3"]
    assert one.of(jobs[2][1]) == Cost()
    assert "files to fetch, whose size is not known" in summary(one, jobs, 100)


def plan(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, SCRIPTS / "plan.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=SCRIPTS.parent)


def test_plan_lists_every_rule_that_would_run():
    told = plan("studies/cocondenser.yaml", "--teraflops", "200")
    assert told.returncode == 0, told.stderr
    jobs = {
        line.split()[0]: int(line.split()[1])
        for line in told.stdout.splitlines()
        if line[:1].isalpha() and line[16:22].strip().isdigit()
    }
    assert jobs["condenser"] == 1 and jobs["cocondenser"] == 3 and jobs["retriever"] == 16
    assert jobs["download"] == 63 and jobs["table"] == 7
    assert jobs.pop("all") == sum(jobs.values())
    assert "200 TFLOP/s" in told.stdout


def test_plan_of_a_study_that_is_not_there_is_one_line(tmp_path):
    told = plan(str(Path(tmp_path) / "none.yaml"))
    assert told.returncode == 1 and told.stderr.startswith("error: ") and told.stderr.count("\n") == 1
