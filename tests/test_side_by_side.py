"""Two results side by side: each difference is said once, in its place, and nothing is said of equal ones."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import side_by_side as program
from dewpoint.archive import pack
from dewpoint.artifact import Artifact, write_manifest
from dewpoint.errors import UserError
from dewpoint.evaluation.significance import compare, holm
from dewpoint.inventory import inventory
from dewpoint.report.moved import moved

QUERIES = 40
METRICS = ["MRR@10", "R@100", "vector-megabytes", "latency@1"]


def scores(seed: int, better: float = 0.0) -> pd.DataFrame:
    """A metric that is better by much on all queries, and one by a little on a single query."""
    random = np.random.default_rng(seed)
    values = pd.DataFrame({"query": np.arange(QUERIES, dtype=np.int32), "MRR@10": random.random(QUERIES) + better})
    values["R@100"] = random.random(QUERIES)
    values.loc[0, "R@100"] += better
    return values


def seal(manifest: str, settings=None, inputs=(), code="c0de", facts=None, **files) -> None:
    artifact = Artifact(Path(manifest), settings or {}, code, map(Path, inputs))
    for suffix, content in files.items():
        path = artifact.path("file") if suffix == "file" else artifact.beside(f".{suffix}")
        content.to_parquet(path, index=False) if suffix == "parquet" else path.write_text(content)
    artifact.facts |= facts or {}
    artifact.seal()


def make(folder: Path, monkeypatch, better=0.0, words="words", steps=10, code="c0de", megabytes=5.0, more=()) -> Path:
    """A dataset, a model, the scores and costs of two rankers, a table of them."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DEWPOINT_NOTES", str(folder / "results/.notes"))
    data, model = "data/docs/manifest.json", "results/s/models/first/manifest.json"
    seal(data, file=words)
    seal(model, {"steps": steps}, [data], code, file="weights")
    for number, ranker in enumerate(["bm25", "first", *more]):
        values = scores(number, better if ranker == "first" else 0)
        facts = {"metrics": values[["MRR@10", "R@100"]].mean().to_dict() | {"latency@1": float(np.random.rand())}}
        seal(f"results/s/scores/{ranker}/docs.test.json", {}, [data], facts=facts, parquet=values)
        seal(f"results/s/scores/{ranker}/docs.json", facts={"metrics": {"vector-megabytes": megabytes}}, txt="")
    settings = {"columns": [{"on": "docs/test", "metrics": METRICS}], "rankers": ["bm25", "first", *more]}
    seal("results/s/tables/main.json", settings, csv="")
    return folder


def told(here: Path, there: Path, monkeypatch, capsys) -> str:
    monkeypatch.chdir(here)
    monkeypatch.setattr("sys.argv", ["compare", "studies/s.yaml", "--with", str(there)])
    assert program.main() is None
    return capsys.readouterr().out


@pytest.fixture
def then(tmp_path, monkeypatch) -> Path:
    return make(tmp_path / "then", monkeypatch)


def test_nothing_is_said_of_equal_ones(then, tmp_path, monkeypatch, capsys):
    """Though a clock's figures, that are another each time, are in them."""
    now = make(tmp_path / "now", monkeypatch)
    assert told(now, then, monkeypatch, capsys) == "figures that moved: 0 of 6\nwhat differs: nothing\n"


def test_figures_that_moved_are_tested_over_queries(then, tmp_path, monkeypatch, capsys):
    now = make(tmp_path / "now", monkeypatch, better=0.5, megabytes=6)
    out = told(now, then, monkeypatch, capsys)
    rows = [line.split() for line in out.splitlines() if line.startswith("  main")]
    assert out.startswith("figures that moved: 4 of 6\n")
    assert [row[1:4] for row in rows] == [
        ["bm25", "docs/test", "vector-megabytes"],
        ["first", "docs/test", "vector-megabytes"],
        ["first", "docs/test", "MRR@10"],
        ["first", "docs/test", "R@100"],
    ]
    assert rows[0][4:] == ["5", "6", "+1.000000"] and rows[2][-2] == "+0.500000"
    assert rows[2][-1].endswith("†") and not rows[3][-1].endswith("†") and rows[3][-2] == f"+{0.5 / QUERIES:.6f}"


def test_p_is_that_of_a_comparison_in_a_table(then, tmp_path, monkeypatch):
    now = make(tmp_path / "now", monkeypatch, better=0.5)
    held = [inventory(folder / "results/s", folder / "data") for folder in (now, then)]
    found = {one.figure.metric: one.p for one in moved(*held)}
    frames = {"then": scores(1).set_index("query"), "now": scores(1, 0.5).set_index("query")}
    table = compare(frames, "then", 1).set_index("metric")
    expected = dict(zip(table.index, holm(table["bootstrap"].to_numpy()), strict=True))
    assert found == pytest.approx(expected)


def test_figures_of_other_queries_are_not_tested(then, tmp_path, monkeypatch, capsys):
    now = make(tmp_path / "now", monkeypatch, better=0.5, words="others")
    out = told(now, then, monkeypatch, capsys)
    assert out.count("other queries") == 2 and "†" not in out and "    data/docs: file\n" in out


def test_without_values_of_queries_there_is_no_test(then, tmp_path, monkeypatch, capsys):
    now = make(tmp_path / "now", monkeypatch, better=0.5)
    (now / "results/s/scores/first/docs.test.parquet").unlink()
    assert told(now, then, monkeypatch, capsys).count("no values of queries") == 2


def test_each_difference_is_said_in_its_place(then, tmp_path, monkeypatch, capsys):
    now = make(tmp_path / "now", monkeypatch, steps=20, code="other", more=["second"])
    path = now / "results/s/models/first/manifest.json"
    record = json.loads(path.read_text())
    said = json.loads((now / f"results/environments/{record['run']['environment']}.json").read_text())
    said["packages"]["torch"] = "1.0"
    (now / "results/environments/other.json").write_text(json.dumps(said))
    record["run"]["environment"] = "other"
    write_manifest(path, record)
    out = told(now, then, monkeypatch, capsys)
    head, *rest = out[out.index("what differs") :].splitlines()
    assert head == "what differs: settings, code, packages and machines, only here"
    assert "    models/first: steps: 10 → 20" in rest and "    models/first: c0de → other" in rest
    assert any(line.startswith("    models/first: packages torch: ") for line in rest)
    assert rest[-1] == "    scores/second/docs, scores/second/docs.test"
    assert "figures only here: second docs/test MRR@10, second docs/test R@100" in out


def test_what_only_the_other_has_is_named(then, tmp_path, monkeypatch, capsys):
    more = make(tmp_path / "more", monkeypatch, more=["second"])
    out = told(then, more, monkeypatch, capsys)
    assert "figures only there: second" in out and "  only there\n    scores/second/docs" in out


def test_an_archive_is_compared_with_its_values_of_queries(then, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(then)
    held = inventory(Path("results/s"), Path("data"))
    pack(tmp_path / "then.tar.gz", "studies/s.yaml", held, {}, {"seed": 1}, [])
    now = make(tmp_path / "now", monkeypatch, better=0.5)
    with_folder = told(now, then, monkeypatch, capsys)
    assert told(now, tmp_path / "then.tar.gz", monkeypatch, capsys) == with_folder and "†" in with_folder


@pytest.mark.parametrize("broken", ["nothing there", "a manifest", "values"])
def test_what_cannot_be_read_is_one_line(then, tmp_path, monkeypatch, capsys, broken):
    now = make(tmp_path / "now", monkeypatch, better=0.5)
    if broken == "a manifest":
        (then / "results/s/models/first/manifest.json").write_text("{")
    elif broken == "values":
        (then / "results/s/scores/first/docs.test.parquet").write_text("text")
    else:
        (then := tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no results of s there|not a manifest|cannot be read") as error:
        told(now, then, monkeypatch, capsys)
    assert "\n" not in str(error.value)
