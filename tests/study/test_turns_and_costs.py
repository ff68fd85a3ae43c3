"""Costs in tables: what is asked of which job, and that nothing else notices."""

import json
from pathlib import Path

import pandas as pd
import pytest

from dewpoint.artifact import write_manifest
from dewpoint.errors import UserError
from dewpoint.program import run
from dewpoint.report.tables import write_table
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import arguments
from sample_study import load

NEAR = ("  zero:", "  near: {kind: dense, model: second, index: hnsw, depth: 100}\n  zero:")
COSTS = "train-hours, encode-index-hours, index-megabytes, vector-megabytes"
METRICS = f"metrics: [MRR@10, {COSTS}, latency-search@1, latency-search-sd@1, latency@10]"
COSTLY = ("tables:\n", f"tables:\n  costs: {{rankers: [near, hybrid, bm25], on: d/test, turns: 5, {METRICS}}}\n")
ELSEWHERE = ("tables:\n", "tables:\n  other: {rankers: [near, hybrid, bm25], on: d/test, metrics: [MRR@10, R@100]}\n")


def graph_of(folder, *changes, **config):
    return Graph(Config(study="s.yaml", **config), load(folder, NEAR, *changes))


def test_scores_are_of_quality_alone(tmp_path):
    graph, plain = graph_of(tmp_path, COSTLY), graph_of(tmp_path, ELSEWHERE)
    assert graph.scores["near", "d", "test"] == ["MRR@10"]
    assert graph.scores["bm25", "d", "test"] == ["MRR@10", "R@100"]
    for ranker in ("bm25", "hybrid"):
        asked = ranker, "d", "test"
        assert graph.evaluate_settings(*asked) == plain.evaluate_settings(*asked)
        assert graph.evaluate_inputs(*asked) == plain.evaluate_inputs(*asked)
    assert graph.evaluate_inputs("near", "d", "test")["latency"] == []  # timed in turns
    assert plain.evaluate_inputs("near", "d", "test")["latency"] == [graph.latency("near", "d", "test")]
    assert json.loads(graph.compare_settings("costs"))["places"][0]["metrics"] == ["MRR@10"]


def test_tables_without_costs_say_nothing_of_them(tmp_path):
    graph = graph_of(tmp_path, COSTLY)
    assert graph.table_turns("t") == graph.table_costs("t") == []
    assert "turns" not in json.loads(graph.table_settings("t"))
    assert json.loads(graph.table_settings("costs"))["turns"] == 5
    assert json.loads(graph_of(tmp_path, COSTLY, rehearse=True).table_settings("costs"))["turns"] == 2


def test_turns_have_all_rankers_of_a_table(tmp_path):
    graph = graph_of(tmp_path, COSTLY)
    [path] = graph.table_turns("costs")
    name = Path(path).parts[-2]
    assert name.startswith("turns+near+hybrid+bm25-") and path == f"results/s/latency/{name}/d.test.json"
    asked = name, "d", "test"
    settings = json.loads(graph.turns_settings(*asked))
    assert settings["turns"] == 5 and settings["batches"] == {"1": 300, "10": 100} and settings["split"] == "test"
    assert [ranker["name"] for ranker in settings["rankers"]] == ["near", "hybrid", "bm25"]
    near, hybrid, bm25 = settings["rankers"]
    assert (
        near["depth"] == 100 and near["settings"]["parameters"] == {"efSearch": 128} and bm25["takes"] == {"index": 1}
    )
    assert [part["kind"] for part in hybrid["parts"]] == ["dense", "bm25"]
    second = [*graph.embeddings("second", "d", "corpus"), graph.model("second")]
    parts = [
        graph.index("near", "d"),
        graph.model("second"),
        *second,
        graph.index("bm25", "d"),
        graph.index("bm25", "d"),
    ]
    assert graph.turns_inputs(*asked) == {"dataset": [graph.dataset("d")], "parts": parts}
    roots = graph.turns_roots(*asked)
    assert roots[0] == "turns" and {*roots[1:]} == {f"dewpoint.rankers.{of}:live" for of in ("dense", "fusion", "bm25")}
    small = json.loads(graph_of(tmp_path, COSTLY, rehearse=True).turns_settings(*small_place(tmp_path)))
    assert small["turns"] == 2 and small["batches"] == {"1": 3, "10": 3}


def small_place(tmp_path):
    [path] = graph_of(tmp_path, COSTLY, rehearse=True).table_turns("costs")
    return Path(path).parts[-2], "d", "test"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("MRR@10, train-hours", "R@100, MRR@10, train-hours", True),
        ("latency-search-sd@1", "latency-sd@1", True),
        ("latency@10", "latency@2000", False),
        ("turns: 5", "turns: 4", False),
        ("[near, hybrid, bm25]", "[near, bm25]", False),
    ],
)
def test_tables_that_ask_for_the_same_times_share_them(tmp_path, old, new, same):
    other = COSTLY[1].replace("costs:", "more:").replace(old, new).replace("tables:\n", "")
    assert other.count(new)
    graph = graph_of(tmp_path, COSTLY, ("tables:\n", f"tables:\n{other}"))
    assert (graph.table_turns("costs") == graph.table_turns("more")) == same


def test_costs_are_of_all_that_a_ranker_is_made_of(tmp_path):
    graph = graph_of(tmp_path, COSTLY, shards=2)
    vectors = graph.embeddings("second", "d", "corpus")
    model = graph.model("second")
    assert len(vectors) == 2
    assert graph.cost_inputs("near", "d") == {
        "models": [model],
        "vectors": vectors,
        "derived": [],
        "indexes": [graph.index("near", "d")],
    }
    assert graph.cost_inputs("hybrid", "d") == {
        "models": [model],
        "vectors": vectors,
        "derived": [],
        "indexes": [graph.index("bm25", "d")],
    }
    words = {"models": [], "vectors": [], "derived": [], "indexes": [graph.index("bm25", "d")]}
    assert graph.cost_inputs("bm25", "d") == words
    assert graph.table_costs("costs") == [graph.cost(name, "d") for name in ("near", "hybrid", "bm25")]
    written = (
        ("  zero:", "  more: {kind: expand, by: t5}\n  zero:"),
        ("  first:", "  t5: {recipe: seq2seq, from: hub:a/t5}\n  first:"),
    )
    graph = graph_of(tmp_path, *written)
    assert graph.cost_inputs("more", "d") == {
        "models": [graph.model("t5")],
        "vectors": [],
        "derived": graph.derived("more", "d"),
        "indexes": [graph.index("more", "d")],
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("turns: 5, ", "", "tables.costs: latency-search-sd@1 is of what is measured in turns; say how many: turns: 5"),
        (
            ", latency-search@1, latency-search-sd@1, latency@10",
            "",
            "tables.costs: turns are of latency, which is none",
        ),
        ("sd@1,", "sd@7,", "tables.costs.metrics: latency-search-sd@7, but latency is measured @1, @10, @2000"),
        ("train-hours", "train-hour", "tables.costs.metrics.1: unknown metric 'train-hour', write "),
        ("MRR@10, train", "train", None),
        ("turns: 5", "turns: 0", "tables.costs.turns: Input should be greater"),
    ],
)
def test_mistakes_are_a_line(tmp_path, old, new, message):
    """Of costs alone a baseline has nothing to be compared on."""
    assert old in COSTLY[1]
    change = COSTLY[0], COSTLY[1].replace(old, new)
    if message is None:
        change = change[0], change[1].replace("on: d/test", "on: d/test, baseline: bm25")
        message = "tables.costs: baseline needs another ranker, and a metric that each query has, to be compared on"
    with pytest.raises(UserError) as error:
        load(tmp_path, NEAR, change)
    assert message in str(error.value) and len(str(error.value).splitlines()) == 1


def test_a_table_has_each_from_where_it_is(tmp_path):
    """Scores, medians of turns, and costs; what is not known is an empty cell, a part that is not there no time."""
    graph = graph_of(tmp_path, COSTLY, output=str(tmp_path / "out"))
    ranks = {"near": 0.25, "hybrid": 0.5, "bm25": 0.125}
    spent = {"near": {"train-hours": 1.5, "index-megabytes": 9.0}, "hybrid": {"train-hours": 1.5}, "bm25": {}}
    for ranker, value in ranks.items():
        write(graph.score(ranker, "d", "test"), {"queries": 3, "metrics": {"MRR@10": value}})
        write(graph.cost(ranker, "d"), {"metrics": spent[ranker]})
    part = {"search": {"mean": 4.0, "sd": 2.0, "p99": 9.0}, "total": {"mean": 5.0, "sd": 1.0, "p99": 7.0}}
    milliseconds = {"near": part, "hybrid": part, "bm25": {"total": part["total"]}}
    [turns] = graph.table_turns("costs")
    write(turns, {"milliseconds": {ranker: {"1": of, "10": of} for ranker, of in milliseconds.items()}})
    _, text, manifest = map(Path, graph.table("costs"))
    given = {"scores": graph.table_scores("costs"), "turns": [turns], "costs": graph.table_costs("costs")}
    run(write_table, arguments(manifest, json.loads(graph.table_settings("costs")), **given))
    assert (manifest.parent / "costs.csv").read_text().splitlines() == [
        f"ranker,MRR@10,{COSTS.replace(' ', '')},latency-search@1,latency-search-sd@1,latency@10,queries",
        "near,0.25,1.5,,9.0,,4.0,2.0,5.0,3",
        "hybrid,0.5,1.5,,,,4.0,2.0,5.0,3",
        "bm25,0.125,,,,,0.0,0.0,5.0,3",
    ]
    shown = text.read_text()
    assert "Latencies are medians of 5 turns, in each of which all rankers were timed" in shown and "nan" not in shown


OWN_RUN = ("  bm25:", f"  own-run: {{kind: file, on: d, runs: {{test: '{__file__}'}}}}\n  bm25:")
MIXED = COSTLY[1].replace("[near, hybrid, bm25]", "[own-run, bm25]")


@pytest.mark.parametrize("turns", [True, False])
def test_what_cannot_be_timed_has_a_dash_and_holds_up_nothing(tmp_path, turns):
    """Its scores are as they were; the others are timed as if it were not there."""
    mixed = MIXED if turns else MIXED.replace("turns: 5, ", "").replace("latency-search-sd@1, ", "")
    graph = graph_of(tmp_path, OWN_RUN, (COSTLY[0], mixed), output=str(tmp_path / "out"))
    alone = graph_of(tmp_path, (COSTLY[0], mixed.replace("own-run, ", "")), output=str(tmp_path / "out"))
    assert graph.scores["own-run", "d", "test"] == ["MRR@10"]
    assert graph.evaluate_inputs("own-run", "d", "test")["latency"] == []
    assert graph.evaluate_settings("bm25", "d", "test") == alone.evaluate_settings("bm25", "d", "test")
    assert graph.table_turns("costs") == alone.table_turns("costs")
    if turns:
        asked = Path(graph.table_turns("costs")[0]).parts[-2], "d", "test"
        assert graph.turns_settings(*asked) == alone.turns_settings(*asked)
    else:
        assert graph.latency_settings("bm25", "d", "test") == alone.latency_settings("bm25", "d", "test")
    metrics = ["latency-search@1", "latency@10"] + (["latency-search-sd@1"] if turns else [])
    timed = dict.fromkeys([] if turns else metrics, 2.0)
    for ranker, more in (("own-run", {}), ("bm25", timed)):
        write(graph.score(ranker, "d", "test"), {"queries": 3, "metrics": {"MRR@10": 0.5} | more})
        write(graph.cost(ranker, "d"), {"metrics": {}})
    part = {"search": {"mean": 2.0, "sd": 2.0}, "total": {"mean": 2.0, "sd": 2.0}}
    for path in graph.table_turns("costs"):
        write(path, {"milliseconds": {"bm25": {"1": part, "10": part}}})
    _, text, manifest = map(Path, graph.table("costs"))
    given = {"scores": graph.table_scores("costs"), "turns": graph.table_turns("costs")}
    run(
        write_table,
        arguments(manifest, json.loads(graph.table_settings("costs")), costs=graph.table_costs("costs"), **given),
    )
    found = pd.read_csv(manifest.parent / "costs.csv", index_col="ranker")
    assert found.loc["own-run", metrics].isna().all() and (found.loc["bm25", metrics] == 2).all()
    assert text.read_text().count(" – ") == 2 * 4 + len(metrics)
    assert "\n\n– is what a ranker has none of" in text.read_text()


def write(path, facts):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    made = {"format": 1, "facts": facts, "settings": {}, "inputs": {}, "files": {}, "content": "", "run": {}}
    write_manifest(Path(path), made)
