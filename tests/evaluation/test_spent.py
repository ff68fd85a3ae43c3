"""What rankers cost, as tables have it: from manifests alone, and nothing where these do not say."""

import math
from pathlib import Path

import pandas as pd
import pytest

from dewpoint.artifact import Artifact, member, read_manifest, write_manifest
from dewpoint.evaluation import costs
from dewpoint.evaluation.costs import Spent, is_cost, is_spread, is_timed
from dewpoint.evaluation.registry import METRICS, known
from programs import call


def record(facts=None, seconds=0.0, sizes=(), **run):
    files = {f"{number}": {"bytes": size} for number, size in enumerate(sizes)}
    return {"facts": facts or {}, "run": {"seconds": seconds, **run}, "files": files}


def trained(seconds=None, whole=0.0, **run):
    return record({"steps": 9} | ({} if seconds is None else {"training_seconds": seconds}), whole, **run)


SHARDS = [record({}, 1800, [2**20, 2**19]), record({}, 900, [2**19])]
INDEX = record({}, 5400, [3 * 2**20])


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        (Spent([trained(7200, 9999)], SHARDS, [], [INDEX]), (2, 2.25, 2, 3)),
        (Spent([trained(7200), trained(1800)], SHARDS, [record({}, 450)], []), (2.5, 0.875, 2, None)),
        (Spent([record({"parameters": 9}, 60)], SHARDS, [], [INDEX]), (None, 2.25, 2, 3)),  # one that was released
        (Spent([trained(None, 3600, earlier_seconds=1800)], [], [], []), (1.5, None, None, None)),
        (Spent([trained(None, 3600)], [], [], []), (None,) * 4),  # one that was killed and went on
        (Spent([trained(7200), trained(None, 3600)], [], [], [INDEX]), (None, 1.5, None, 3)),
        (Spent([], [], [], []), (None,) * 4),
    ],
)
def test_costs_by_hand(spent, expected):
    assert tuple(costs.costs(spent).values()) == expected and costs.costs(spent).keys() == costs.WHAT.keys()


def test_which_metrics_are_costs():
    """None that is of quality, all that are timed, whatever the batch; each has words for an axis."""
    for written in [*known(), *costs.known()]:
        name = written.partition("@")[0]
        assert is_cost(written) == (name.startswith("latency") or name in costs.WHAT)
        assert is_timed(written) == name.startswith("latency")
        assert is_spread(written) == name.endswith("-sd")
        assert not is_cost(written) or costs.in_words(written)
    assert not {name for name, _ in METRICS} & {*costs.WHAT, *costs.SPREADS}
    assert costs.in_words("latency-search@1") == "milliseconds of search for a query"
    assert costs.in_words("latency-p99@2000") == "milliseconds for 2,000 queries, 99th percentile"


def sealed(path: Path, content: str, facts=None, **run) -> Path:
    """An artifact, its manifest's record of the job replaced."""
    artifact = Artifact(path)
    artifact.path("file.txt").write_text(content)
    artifact.facts |= facts or {}
    artifact.seal()
    made = read_manifest(path)
    write_manifest(path, made | {"run": made["run"] | run})
    return path


def test_the_program_reads_manifests(tmp_path):
    model = sealed(tmp_path / "m" / "manifest.json", "weights", {"steps": 3, "training_seconds": 720})
    shards = [sealed(tmp_path / f"v{shard}" / "manifest.json", "x" * 2**shard, seconds=900) for shard in (18, 19)]
    output = tmp_path / "costs" / "r" / "d.json"
    call("cost", output, {}, models=[model], vectors=shards, derived=[], indexes=[])
    assert read_manifest(output)["facts"]["metrics"] == {
        "train-hours": 0.2,
        "encode-index-hours": 0.5,
        "vector-megabytes": 0.75,
    }
    values = pd.read_parquet(member(output)).set_index("metric")["value"]
    assert list(values.index) == [*costs.WHAT] and math.isnan(values["index-megabytes"])
    assert values["train-hours"] == 0.2


# --- attempts -------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("dewpoint.artifact.time.monotonic", made.monotonic)
    return made


def attempt(path, clock, seconds, ends):
    """Work that keeps something to go on with; `ends` is done, stopped or killed."""
    artifact = Artifact(path, {"a": 1}, "code")
    artifact.workspace().mkdir(parents=True, exist_ok=True)
    clock.now += seconds
    if ends == "done":
        artifact.path("file.txt").write_text("whole")
        artifact.finished = artifact.workspace()
        artifact.seal()
        assert not artifact.workspace().exists()
    if ends == "killed":
        artifact.lease.close()  # as the system does; nothing is said of it
    artifact.discard()


@pytest.mark.parametrize(
    ("ends", "earlier"),
    [
        (["done"], None),
        (["stopped", "done"], 1),
        (["stopped", "stopped", "stopped", "done"], 7),
        (["killed", "done"], None),
        (["stopped", "killed", "done"], None),
        (["killed", "stopped", "done"], None),
    ],
)
def test_earlier_attempts_are_summed_where_all_are_known(tmp_path, clock, ends, earlier):
    """Attempts take 1, 2, 4, … seconds; one that was killed says nothing, and then nothing is known."""
    path = tmp_path / "made" / "manifest.json"
    for number, end in enumerate(ends):
        attempt(path, clock, 2**number, end)
    run = read_manifest(path)["run"]
    assert run.get("earlier_seconds") == earlier and run["seconds"] == 2 ** (len(ends) - 1)


def test_an_attempt_with_nothing_to_go_on_with_is_not_counted(tmp_path, clock):
    artifact = Artifact(tmp_path / "made" / "manifest.json", {"a": 1}, "code")
    clock.now += 5
    artifact.discard()
    assert not artifact.workspace().exists()
    attempt(tmp_path / "made" / "manifest.json", clock, 1, "done")
    assert "earlier_seconds" not in read_manifest(tmp_path / "made" / "manifest.json")["run"]
