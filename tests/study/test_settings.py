"""Settings: a change reaches exactly the jobs that it concerns, and no job carries what it never reads."""

import json
from itertools import combinations
from pathlib import Path

import pytest

from dewpoint.errors import UserError
from dewpoint.recipes.retriever import Retriever
from dewpoint.sources.beir import Beir
from dewpoint.study.grammar import Config
from dewpoint.study.graph import PASSAGES, QUERIES, Graph
from dewpoint.study.kind import kinds
from programs import call, tables, write_files
from reading import read_by
from sample_study import load

STAGES = {"index": Graph.index_settings, "rank": lambda graph, name: graph.rank_settings(name, "test")}


def settings(graph: Graph) -> dict[str, str]:
    """The settings of every job of a study but the report, by its rule and what it makes."""
    study = graph.study
    tokenizers = {graph.tokenizer_name(model) for model in study.models}
    with_negatives = [name for name, model in study.models.items() if getattr(model, "negatives", None)]
    found = {f"dataset {name}": graph.dataset_settings(name) for name in study.datasets}
    found |= {f"tokenizer {name}": graph.tokenizer_settings(name) for name in tokenizers}
    found |= {f"{model.recipe} {name}": graph.model_settings(name) for name, model in study.models.items()}
    found |= {f"negatives {name}": graph.negatives_settings(graph.negatives_name(name)) for name in with_negatives}
    for part in ("corpus", "queries.test"):
        found |= {f"encode {name} {part}": graph.encode_settings(name, part, 0, 1) for name in study.models}
    for stage, settings_of in STAGES.items():
        for name, ranker in study.rankers.items():
            if function := ranker.function(stage):
                found[f"{function}_{ranker.kind} {name}"] = settings_of(graph, name)
    found |= {
        f"latency_{study.rankers[ranker].kind} {ranker}": graph.latency_settings(ranker, dataset, split)
        for ranker, dataset, split in graph.scores
        if graph.evaluate_inputs(ranker, dataset, split)["latency"]
    }
    found |= {f"evaluate {ranker}": graph.evaluate_settings(ranker, *on) for ranker, *on in graph.scores}
    found |= {f"compare {name}": graph.compare_settings(name) for name in study.tables if graph.comparisons(name)}
    return found | {f"table {name}": graph.table_settings(name) for name in study.tables}


def changed(folder, change=None, already=(), **config):
    before = settings(Graph(Config(), load(folder, *already)))
    after = settings(Graph(Config(**config), load(folder, *already, *[change] if change else [])))
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


MODELS = {"mlm bert", "condenser condenser", "cocondenser co", "retriever first", "retriever second"}
ENCODE = {f"encode {name.split()[1]} {part}" for name in MODELS for part in ("corpus", "queries.test")}
EVALUATE = {f"evaluate {name}" for name in ("bm25", "second", "hybrid", "weighted")}


@pytest.mark.parametrize(
    ("old", "new", "jobs"),
    [
        ("[json]", "[json, email]", {"dataset d"}),
        ("c.csv", "d.csv", {"dataset own"}),
        ("{file: c.csv}", "{file: c.csv, columns: {id: pid}}", {"dataset own"}),
        ("hidden: 32", "hidden: 64", {"mlm bert"}),
        ("vocabulary: 500", "vocabulary: 600", {"mlm bert", "tokenizer d-bert-500", "tokenizer d-bert-600"}),
        ("{layers", "{dropout: 0, layers", {"mlm bert"}),
        ("early_layers: 1}", "early_layers: 1, learning_rate: 1e-3}", {"condenser condenser"}),
        ("early_layers: 1}", "early_layers: 1, query_length: 16}", {"encode condenser queries.test"}),
        ("seed: 7", "seed: 8", {"cocondenser co"}),
        ("from: condenser", "from: bert", set()),  # another input
        ("[bm25]}", "[bm25], learning_rate: 1e-3}", {"retriever first"}),
        ("early_layers: 1, seed", "early_layers: 1, mlm: false, seed", {"cocondenser co"}),
        ("early_layers: 1}", "early_layers: 1, late_mlm: false}", {"condenser condenser"}),
        ("early_layers: 1}", "early_layers: 1, held_out: 0}", {"condenser condenser"}),
        ("{layers", "{family: roberta, layers", {"mlm bert", "tokenizer d-bert-500", "tokenizer d-roberta-500"}),
        ("[bm25]}", "[bm25], negatives_depth: 100}", {"negatives first"}),
        ("[bm25]}", "[bm25], negatives_kept: 10}", {"negatives first"}),
        ("[bm25]}", "[bm25], seed: 3}", {"negatives first", "retriever first"}),
        ("[bm25]}", "[bm25], query_length: 16}", {"retriever first", "encode first queries.test"}),
        ("[bm25]}", "[bm25], query_cut: left}", {"retriever first", "encode first queries.test"}),
        ("[bm25]}", "[bm25], query_cut: right}", set()),
        ("early_layers: 1}", "early_layers: 1, query_cut: left}", {"encode condenser queries.test"}),
        ("[bm25]}", "[bm25], passage_length: 64}", {"retriever first", "encode first corpus"}),
        ("[bm25]}", "[bm25, zero]}", set()),  # one more input
        ("[bm25]}", "[bm25], query_from: bert}", {"retriever first"}),
        ("[bm25]}", "[bm25], query_prefix: 'q:'}", {"retriever first", "encode first queries.test"}),
        ("[bm25]}", "[bm25], passage_prefix: 'p:'}", {"retriever first", "encode first corpus"}),
        ("[bm25]}", "[bm25], title: prefix}", {"retriever first", "encode first corpus"}),
        ("early_layers: 1}", "early_layers: 1, title: none}", {"encode condenser corpus"}),
        ("[bm25]}", "[bm25], pooling: mean}", {"retriever first"}),
        ("[bm25]}", "[bm25], normalize: true}", {"retriever first"}),
        ("[bm25]}", "[bm25], projection: {size: 8}}", {"retriever first"}),
        ("[bm25]}", "[bm25], sizes: [32, 8]}", {"retriever first"}),
        ("[bm25]}", "[bm25], in_batch: false}", {"retriever first"}),
        ("[bm25]}", "[bm25], positives: first}", {"retriever first"}),
        ("[bm25]}", "[bm25], loss: {name: contrast, temperature: 0.1}}", {"retriever first"}),
        ("[bm25]}", "[bm25], loss: contrast, batches: random}", set()),
        ("[bm25]}", "[bm25], teacher: bm25, loss: margin-mse}", {"retriever first"}),
        ("[bm25]}", "[bm25], unscored: skipped}", {"retriever first"}),
        ("[bm25]}", "[bm25], batches: {name: tas, model: co}}", {"retriever first"}),
        ("early_layers: 1, seed", "early_layers: 1, loss: {name: contrast, temperature: 2}, seed", {"cocondenser co"}),
        ("[bm25]}", "[bm25], train_queries: 100}", {"retriever first"}),
        ("[bm25]}", "[bm25], train_queries: all}", set()),
        ("[bm25]}", "[bm25], negatives_per_query: 7}", set()),
        ("[bm25]}", "[bm25], negatives_per_query: 1}", {"retriever first"}),
        ("[bm25]}", "[]}", {"retriever first", "negatives first"}),  # none beside the positive, and none to be chosen
        ("[bm25]}", "[bm25], negatives_without: [judged, answers]}", {"negatives first"}),
        ("[bm25]}", "[bm25], negatives_seed: 9}", {"negatives first"}),
        ("[bm25]}", "[bm25], development: {queries: 9}}", {"retriever first"}),
        ("[bm25]}", "[bm25], development: {rerank: zero}}", {"retriever first"}),
        ("[bm25]}", "[bm25], development: {every: 9}}", {"retriever first"}),
        ("kind: bm25", "kind: bm25, k1: 1.2", {"index_bm25 bm25"}),
        ("kind: bm25", "kind: bm25, b: 0.75", {"index_bm25 bm25"}),
        ("kind: bm25", "kind: bm25, stemmer: german", {"index_bm25 bm25"}),
        ("kind: bm25", "kind: bm25, stop_words: none", {"index_bm25 bm25"}),
        ("kind: bm25", "kind: bm25, words: plain", {"index_bm25 bm25"}),
        ("kind: bm25", "kind: bm25, title: false", {"index_bm25 bm25"}),
        ("kind: bm25", "kind: bm25, depth: 900", {"rank_bm25 bm25"}),
        ("model: co", "model: bert", set()),  # another input
        ("model: co", "model: co, depth: 900", {"rank_dense zero"}),
        ("[second, bm25]", "[second, bm25], k: 10", {"rank_fusion hybrid"}),
        ("[second, bm25]", "[second, bm25], weights: [1, 1]", set()),
        ("[second, bm25]", "[second, bm25], weights: [1, 2]", {"rank_fusion hybrid"}),
        ("method: weighted", "method: weighted, k: 10", set()),
        ("method: weighted", "method: weighted, scale: z", {"rank_fusion weighted"}),
        ("[second, bm25]}", "[second, bm25], scale: z}", set()),
        ("[second, bm25]}", "[second, bm25], tune: {}}", {"rank_fusion hybrid", "index_fusion hybrid"}),
        ("title: Sample", "title: Other", set()),
        ("{rankers", "{title: T, rankers", {"table t"}),
        ("R@100]", "R@100, P@5]", {"table t", *EVALUATE}),
    ],
)
def test_a_change_of_the_study(tmp_path, old, new, jobs):
    assert changed(tmp_path, (old, new)) == jobs


TUNED = ("[second, bm25]}", "[second, bm25], method: weighted, tune: {metric: R@5}}")


@pytest.mark.parametrize(
    ("old", "new", "jobs"),
    [
        ("R@5", "R@5, split: train", {"index_fusion hybrid"}),  # what is fused knows the weights by its input
        ("R@5", "R@7", {"index_fusion hybrid"}),
        ("R@5", "R@5, steps: 4", {"index_fusion hybrid"}),
        ("tune:", "scale: z, tune:", {"index_fusion hybrid", "rank_fusion hybrid"}),
        ("tune:", "depth: 200, tune:", {"rank_fusion hybrid"}),
        ("tune:", "k: 2, tune:", set()),
    ],
)
def test_a_change_of_a_tuned_fusion(tmp_path, old, new, jobs):
    assert changed(tmp_path, (old, new), already=[TUNED]) == jobs


BASELINE = ("tables:\n  t: {", "tables:\n  t: {baseline: bm25, ")


@pytest.mark.parametrize(
    ("old", "new", "jobs"),
    [
        ("baseline: bm25", "baseline: second", {"compare t", "table t"}),
        ("baseline: bm25, ", "", {"compare t", "table t"}),
        ("baseline: bm25,", "baseline: bm25, title: T,", {"table t"}),
        ("[bm25, second, hybrid, weighted]", "[bm25, second, hybrid]", {"compare t", "table t", "evaluate weighted"}),
        ("R@100]", "R@100, P@5]", {"compare t", "table t", *EVALUATE}),
    ],
)
def test_a_change_of_a_table_with_a_baseline(tmp_path, old, new, jobs):
    assert changed(tmp_path, (old, new), already=[BASELINE]) == jobs


FUSIONS = {"latency_fusion hybrid", "latency_fusion weighted"}
INDEXED = [("model: co}", "model: co, index: {name: hnsw}}"), ("[bm25, second,", "[bm25, zero, second,")]


@pytest.mark.parametrize(
    ("old", "new", "jobs"),
    [
        ("name: hnsw", "name: hnsw, M: 8", {"index_dense zero"}),
        ("name: hnsw", "name: hnsw, efConstruction: 9", {"index_dense zero"}),
        ("name: hnsw", "name: hnsw, efSearch: 9", {"probe_dense zero", "latency_dense zero"}),
        ("index: {name: hnsw}", "index: hnsw", set()),
        ("model: co,", "model: co, depth: 500,", {"probe_dense zero", "latency_dense zero", "evaluate zero"}),
        (
            "early_layers: 1, seed",
            "early_layers: 1, query_length: 9, seed",
            {"encode co queries.test", "latency_dense zero"},
        ),
        (
            "R@100]",
            "R@100, latency@1]",
            {"table t", "evaluate zero", *EVALUATE, *FUSIONS}
            | {"latency_bm25 bm25", "latency_dense second", "latency_dense zero"},
        ),
    ],
)
def test_a_change_of_an_index(tmp_path, old, new, jobs):
    assert changed(tmp_path, (old, new), already=INDEXED) == jobs


SMALL = [("model: co}", "model: co, index: {name: bits}, rescore: 2000}"), INDEXED[1]]


@pytest.mark.parametrize(
    ("old", "new", "jobs"),
    [
        ("index: {name: bits}", "index: bits", set()),
        ("rescore: 2000", "rescore: 3000", {"scan_dense zero", "latency_dense zero"}),
        ("rescore: 2000", "rescore: 2000, size: 16", {"pack_dense zero"}),
        ("name: bits", "name: int8", {"pack_dense zero"}),
        (", rescore: 2000", "", {"pack_dense zero", "scan_dense zero", "latency_dense zero"}),
        (
            "{name: bits}",
            "{name: hnsw}",
            {"pack_dense zero", "scan_dense zero", "refine_dense zero", "latency_dense zero"},
        ),
        ("rescore: 2000", "rescore: 2000, depth: 500", {"scan_dense zero", "latency_dense zero", "evaluate zero"}),
    ],
)
def test_a_change_of_a_small_index(tmp_path, old, new, jobs):
    """How many candidates there are builds nothing anew."""
    assert changed(tmp_path, (old, new), already=SMALL) == jobs


def test_a_small_index_does_not_depend_on_seed_and_threads(tmp_path):
    """And whole vectors lie in it, so that a run needs nothing else; first dimensions need what the model says."""
    graph = Graph(Config(study="s.yaml"), load(tmp_path, ("model: co}", "model: co, index: int8, rescore: 1000}")))
    assert json.loads(graph.index_settings("zero")) == {"index": {"name": "int8"}, "rescored": True}
    index = graph.index("zero", "d")
    assert graph.rank_inputs("zero", "d", "test")["index"] == [index] == graph.live_inputs("zero", "d")["index"]
    assert graph.index_inputs("zero", "d") == {"corpus": graph.embeddings("co", "d", "corpus")}
    graph = Graph(Config(study="s.yaml"), load(tmp_path, ("model: co}", "model: co, size: 16}")))
    assert json.loads(graph.index_settings("zero")) == {"index": {"name": "flat"}, "size": 16}
    assert json.loads(graph.rank_settings("zero", "test")) == {"depth": 1000}
    assert graph.index_inputs("zero", "d")["model"] == [graph.model("co")]
    assert graph.study.rankers["zero"].exact(graph.study) == "co"


def test_a_size_is_one_that_the_model_is_trained_for(tmp_path):
    nested, ranker = ("[bm25]}", "[bm25], sizes: [32, 8]}"), ("model: co}", "model: first, size: {}}}")
    assert load(tmp_path, nested, (ranker[0], ranker[1].format(8))).rankers["zero"].size == 8
    with pytest.raises(UserError, match=r"rankers.zero.size: 16, but 'first' is trained for 32, 8; name one of these$"):
        load(tmp_path, nested, (ranker[0], ranker[1].format(16)))
    with pytest.raises(UserError, match=r"models.first.sizes: the first is 32, but the projection's size 16"):
        load(tmp_path, ("[bm25]}", "[bm25], sizes: [32, 8], projection: {size: 16}}"))


def test_an_index_is_compared_with_exact_search_of_its_model(tmp_path):
    """Also where the model is no retriever, and so no ranker by itself."""
    graph = Graph(Config(study="s.yaml", shards=2), load(tmp_path, *INDEXED))
    zero, second = (graph.evaluate_inputs(ranker, "d", "test") for ranker in ("zero", "second"))
    assert zero["exact"] == ["results/s/runs/co/d.test.json"] and second["exact"] == []
    assert zero["latency"] == ["results/s/latency/zero/d.test.json"] and second["latency"] == []
    index, vectors = "results/s/indexes/zero/d/manifest.json", "results/s/embeddings/second/d/corpus"
    assert graph.live_inputs("zero", "d") == {"model": [graph.model("co")], "index": [index]}
    shards = [f"{vectors}-{shard}of2.json" for shard in range(2)]
    assert graph.live_inputs("second", "d") == {"model": [graph.model("second")], "corpus": shards}
    for ranker in ("zero", "second"):
        dataset = {"dataset": [graph.dataset("d")]}
        assert graph.latency_inputs(ranker, "d") == dataset | graph.live_inputs(ranker, "d")


TIMED = [
    ("  zero:", "  again: {kind: monot5, of: hybrid, by: t5, top: 9}\n  zero:"),
    ("  first:", "  t5: {recipe: seq2seq, from: hub:a/t5}\n  first:"),
    ("rankers: [bm25, zero,", "rankers: [again, bm25, zero,"),
    ("R@100]", "R@100, latency@10, latency-p99@1]"),
]


def test_a_latency_is_of_the_batches_that_are_asked_for_and_of_all_parts(tmp_path):
    """Each part finds its own among the manifests in order, and how it is asked counts."""
    study = load(tmp_path, *INDEXED, *TIMED)
    graph = Graph(Config(study="s.yaml"), study)
    assert json.loads(graph.latency_settings("bm25", "d", "test"))["batches"] == {"1": 300, "10": 100}
    every = {"1": 300, "10": 100, "2000": 5}
    assert json.loads(graph.latency_settings("zero", "d", "test"))["batches"] == {"1": 300, "10": 100}
    plain = Graph(Config(study="s.yaml"), load(tmp_path, *INDEXED))  # of an index the report shows it unasked
    assert json.loads(plain.latency_settings("zero", "d", "test"))["batches"] == every
    assert json.loads(graph.latency_settings("bm25", "d", "dev"))["batches"] == every
    small = Graph(Config(study="s.yaml", rehearse=True), study)
    assert json.loads(small.latency_settings("bm25", "d", "test"))["batches"] == {"1": 3, "10": 3}

    [hybrid] = json.loads(graph.latency_settings("again", "d", "test"))["parts"]
    assert (hybrid["kind"], hybrid["depth"], hybrid["takes"]) == ("fusion", 1000, {"tuned": 0})
    second, bm25 = hybrid["parts"]
    assert (second["kind"], second["takes"]) == ("dense", {"corpus": 1, "model": 1})
    assert (bm25["kind"], bm25["takes"], bm25["parts"]) == ("bm25", {"index": 1}, [])
    inputs = graph.latency_inputs("again", "d")
    asked = [*graph.embeddings("second", "d", "corpus"), graph.model("second"), graph.index("bm25", "d")]
    assert inputs == {"dataset": [graph.dataset("d")], "model": [graph.model("t5")], "parts": asked}
    roots = [f"dewpoint.rankers.{of}" for of in ("monot5:latency", "fusion:live", "bm25:live", "dense:live")]
    assert graph.latency_roots("again") == roots and "parts" not in graph.latency_inputs("bm25", "d")
    assert json.loads(graph.latency_settings("again", "d", "test"))["top"] == 9


def test_a_tuned_fusion_takes_its_weights_as_an_input(tmp_path):
    graph = Graph(Config(study="s.yaml"), load(tmp_path, TUNED))
    tuned = {ranker: graph.rank_inputs(ranker, "d", "test")["tuned"] for ranker in ("hybrid", "weighted")}
    assert tuned == {"hybrid": ["results/s/indexes/hybrid/d/manifest.json"], "weighted": []}
    runs = ["results/s/runs/second/d.dev.json", "results/s/runs/bm25/d.dev.json"]
    assert graph.index_inputs("hybrid", "d")["runs"] == runs
    assert "weights" not in json.loads(graph.rank_settings("hybrid", "test"))


def test_a_run_of_a_file(tmp_path):
    write_files(tmp_path, {"run.trec": ""})
    runs = f"  old: {{kind: file, on: d, runs: {{test: '{tmp_path}/run.trec'}}}}\n  bm25:"
    graph = Graph(Config(study="s.yaml"), load(tmp_path, ("  bm25:", runs)))
    assert graph.rank_inputs("old", "d", "test")["file"] == [f"{tmp_path}/run.trec"]
    assert json.loads(graph.rank_settings("old", "test")) == {"split": "test", "depth": 1000}
    with pytest.raises(UserError, match=r"^s\.yaml: rankers\.old: ranker 'old' has no run on d/dev, only on d/test$"):
        graph.rank_inputs("old", "d", "dev")
    assert "old" not in graph.needed.rankers


@pytest.mark.parametrize(
    ("config", "jobs"),
    [
        ({"shards": 8}, set()),
        ({"chunk": 2048, "checkpoint_steps": 7}, set()),
        ({"output": "elsewhere", "data": "there"}, set()),
        ({"seed": 2}, MODELS - {"cocondenser co"} | {"negatives first", "negatives second"}),
        ({"precision": "float32"}, MODELS | ENCODE),
        ({"vectors": "float32"}, ENCODE),
    ],
)
def test_a_change_of_the_config(tmp_path, config, jobs):
    assert changed(tmp_path, **config) == jobs


def test_inputs_follow_the_names(tmp_path):
    graph = Graph(Config(study="s.yaml"), load(tmp_path))
    runs = ["results/s/runs/bm25/d.train.json", "results/s/runs/first/d.train.json"]
    read = {"dataset": [graph.dataset("d")], "runs": runs, "judge": []}
    assert graph.negatives_inputs(graph.negatives_name("second")) == read
    assert graph.model_inputs("second")["negatives"] == [graph.negatives("second")]
    assert [graph.parent(name) for name in graph.study.models] == [None, "bert", "condenser", "co", "co"]
    assert {graph.tokenizer_name(name) for name in graph.study.models} == {"d-bert-500"}
    assert Graph(Config(shards=2), graph.study).embeddings("co", "d", "corpus")[1].endswith("/co/d/corpus-1of2.json")
    assert len(Graph(Config(shards=2), graph.study).embeddings("co", "d", "queries.test")) == 1


def test_retrievers_share_negatives_that_are_the_same(tmp_path):
    """How a retriever is trained has no say in them; what they are made from and how they are chosen has."""
    line = "  {}: {{recipe: retriever, from: {}, data: d, negatives: [bm25], {}}}\n"
    same = line.format("same", "bert", "epochs: 1, batch_size: 2, negatives_per_query: 1")
    others = line.format("deeper", "co", "negatives_depth: 300") + line.format("seeded", "co", "seed: 5")
    graph = Graph(Config(study="s.yaml"), load(tmp_path, ("  first:", f"{same}{others}  first:")))
    paths = {name: graph.negatives(name) for name in ("first", "same", "second", "deeper", "seeded")}
    assert paths["first"] == paths["same"] and len(set(paths.values())) == 4
    assert all(path.startswith("results/s/negatives/") for path in paths.values())


ANALYSED = ("tables:\n", "analyses:\n  found: {kind: recall, rankers: [bm25, second], on: d/dev}\ntables:\n")


def test_an_analysis_needs_what_it_looks_at(tmp_path):
    without = ("tables:\n  t: {rankers: [bm25, second, hybrid, weighted]", "tables:\n  t: {rankers: [bm25]")
    graph = Graph(Config(study="s.yaml"), load(tmp_path, without, ANALYSED))
    runs = ["results/s/runs/bm25/d.dev.json", "results/s/runs/second/d.dev.json"]
    assert graph.analysis_inputs("found") == {"runs": runs, "dataset": [graph.dataset("d")]}
    assert json.loads(graph.analysis_settings("found")) == {"rankers": ["bm25", "second"], "split": "dev"}
    assert {"bert", "condenser", "co", "first", "second"} == graph.needed.models.keys()
    assert graph.analysis("found") in graph.targets
    assert not Graph(Config(study="s.yaml"), load(tmp_path, without)).needed.models


def test_what_is_made_alone(tmp_path):
    study = load(tmp_path, ANALYSED)

    def targets(*only: str) -> list[str]:
        return Graph(Config(study="s.yaml", only=list(only)), study).targets

    tables = [f"results/s/tables/t.{suffix}" for suffix in ("csv", "md", "json")]
    assert targets() == ["results/s/report.html", *tables, *targets("found")]
    assert targets("co", "d") == ["results/s/models/co/manifest.json", "data/d/manifest.json"]
    with pytest.raises(UserError, match=r"^config\.yaml: only: s\.yaml has no 'third'; there is bert, condenser, co, "):
        targets("first", "third")


def test_candidates_that_are_put_in_order_are_an_input(tmp_path):
    """And in no settings by name: another name of the same ranker trains nothing anew."""
    names = ("zero", "nought")
    graphs = []
    for name in names:
        changes = [("[bm25]}", f"[bm25], development: {{rerank: {name}}}}}"), ("  zero:", f"  {name}:")]
        graphs.append(Graph(Config(study="s.yaml"), load(tmp_path, *changes, ("first, zero]", f"first, {name}]"))))
    for name, graph in zip(names, graphs, strict=True):
        assert graph.model_inputs("first")["development"] == [f"results/s/runs/{name}/d.dev.json"]
        assert name in graph.needed.rankers
    one, two = (graph.model_settings("first") for graph in graphs)
    assert one == two and json.loads(one)["development"]["reranks"] is True


SIDES = """\
  small: {recipe: mlm, from: scratch, data: own, architecture: {layers: 1, hidden: 8, vocabulary: 90}}
  apart: {recipe: retriever, from: co, query_from: co, data: d, negatives: [bm25]}
  mixed: {recipe: retriever, from: co, query_from: small, data: d, negatives: [bm25], development: {}}
  again: {recipe: retriever, from: mixed, data: d}
  asked: {recipe: retriever, from: first, query_from: mixed, data: d}
  released: {recipe: released, from: hub:a/b, query_from: hub:c/d}
  first:"""


def test_each_side_has_its_own_beginning(tmp_path):
    """Queries of a mixed retriever have the tokens of what their encoder starts from, also in what is made from it."""
    graph = Graph(Config(study="s.yaml"), load(tmp_path, ("  first:", SIDES)))
    names = ("first", "apart", "mixed", "again", "asked", "released")
    sides = {name: [graph.tokenizer_name(name, side) for side in ("passages", "queries")] for name in names}
    assert sides == {
        "first": ["d-bert-500", "d-bert-500"],
        "apart": ["d-bert-500", "d-bert-500"],
        "mixed": ["d-bert-500", "own-bert-90"],
        "again": ["d-bert-500", "own-bert-90"],
        "asked": ["d-bert-500", "own-bert-90"],
        "released": ["hub--a--b", "hub--c--d"],
    }
    parents = {name: [graph.parent(name, side) for side in ("passages", "queries")] for name in names}
    assert parents == {
        "first": ["co", None],
        "apart": ["co", "co"],
        "mixed": ["co", "small"],
        "again": ["mixed", None],
        "asked": ["first", "mixed"],
        "released": [None, None],
    }
    for side in (PASSAGES, QUERIES):
        parents_of = {name: [graph.model(one) for one in [graph.parent(name, side)] if one] for name in names[:-1]}
        assert {name: graph.model_inputs(name)[f"{side}_parent"] for name in names[:-1]} == parents_of
        assert [graph.model_inputs("mixed")[f"{side}_{what}"] for what in ("tokens", "tokenizer")] == [
            [graph.tokens("mixed", "d", side)],
            [graph.tokenizer("mixed", side)],
        ]
    assert graph.model_inputs("released")["query_tokenizer"] == ["data/tokenizers/hub--c--d/manifest.json"]
    assert graph.model_inputs("mixed")["development"] == ["results/s/runs/bm25/d.dev.json"]
    assert graph.model_inputs("apart")["development"] == graph.model_inputs("again")["negatives"] == []
    assert json.loads(graph.tokenizer_settings("hub--c--d")) == {"source": "c/d"}
    assert json.loads(graph.model_settings("released"))["query_source"] == "c/d"
    assert json.loads(graph.model_settings("mixed"))["query_source"] == "study"
    assert "own" not in graph.needed.datasets
    asked = load(tmp_path, ("  first:", SIDES), ("rankers: [bm25, second", "rankers: [asked, bm25, second"))
    needed = Graph(Config(study="s.yaml"), asked).needed
    assert {"small", "mixed", "asked"} <= needed.models.keys() and "own" in needed.datasets


TOPICS = "batches: {name: tas-balanced, model: co, clusters: 9}, teacher: bm25, loss: {name: dual, in_batch: kl}"
APART = ("  first:", "  apart: {recipe: condenser, from: bert, data: d, early_layers: 1}\n  first:")


def by_topics(folder, *changes):
    """`first` is trained on clusters of a pre-trained model's vectors."""
    return Graph(Config(study="s.yaml"), load(folder, ("[bm25]}", f"[bm25], {TOPICS}}}"), *changes))


def test_clusters_are_made_once_from_a_models_vectors_of_the_training_queries(tmp_path):
    """How they are made is in their own settings and not in the model's; two models that want the same share them."""
    graph = by_topics(tmp_path, ("[bm25, first]}", f"[bm25], {TOPICS}, epochs: 9}}"))
    made = graph.clusters_name(graph.study.models["first"].batches, "d", "train")
    assert graph.model_inputs("first")["clusters"] == [f"results/s/clusters/{made}/manifest.json"]
    assert graph.model_inputs("first")["clusters"] == graph.model_inputs("second")["clusters"]
    assert graph.clusters_inputs(made) == {"queries": graph.embeddings("co", "d", "queries.train")}
    assert json.loads(graph.clusters_settings(made)) == {"clusters": 9, "iterations": 20, "seed": 1, "threads": 2}
    said = json.loads(graph.model_settings("first"))
    assert said["batches"] == {"name": "tas-balanced", "clusters_per_batch": 1, "draw": "uniform", "bins": 10}
    in_batch = {"name": "kl", "temperature": 1.0}
    assert said["loss"] == {"name": "dual", "alpha": 0.75, "teacher_scale": 1.0, "in_batch": in_batch}
    assert "teacher" not in said and graph.model_inputs("first")["teacher"] == ["results/s/runs/bm25/d.train.json"]
    other = by_topics(tmp_path, ("clusters: 9", "clusters: 8")).model_inputs("first")["clusters"]
    assert other != graph.model_inputs("first")["clusters"]


def test_what_is_named_in_a_kind_that_an_entry_holds_is_needed(tmp_path):
    graph = by_topics(
        tmp_path, ("  first:", "  apart: {recipe: condenser, from: bert, data: d, early_layers: 1}\n  first:")
    )
    assert "models.co" in graph.study.needs()["models.first"] and "apart" not in graph.needed.models
    moved = by_topics(tmp_path, APART, ("tas-balanced, model: co", "tas-balanced, model: apart"))
    assert "apart" in moved.needed.models


def test_all_that_runs_in_a_training_is_hashed(tmp_path):
    """A loss in a loss, too."""
    below = ["losses.dual", "losses.kl", "batches.tas_balanced"]
    roots = by_topics(tmp_path).study.models["first"].roots("work")
    assert roots == ["dewpoint.recipes.retriever:work", *(f"dewpoint.{one}:work" for one in below)]


def test_a_folder_with_two_encoders_has_two_tokenizers(tmp_path):
    write_files(tmp_path, {"two/config.json": "{}", "two/query/config.json": "{}"})
    change = ("  first:", f"  old: {{recipe: released, from: 'path:{tmp_path}/two'}}\n  first:")
    graph = Graph(Config(), load(tmp_path, change))
    names = [graph.tokenizer_name("old", side) for side in ("passages", "queries")]
    assert names[1] == f"{names[0]}--query" and names[0].endswith("--two")
    assert json.loads(graph.tokenizer_settings(names[1])) == {"source": f"{tmp_path}/two/query"}


VALUES = {
    "from": ["co", "condenser", "hub:a/b"],
    "query_from": ["co", "bert", "hub:a/b", None],
    "query_length": [16, 32],
    "train_query_length": [8, 16],
    "passage_length": [64, 128],
    "query_cut": ["right", "left"],
    "query_prefix": ["", "query: ", "q:"],
    "passage_prefix": ["", "passage: "],
    "title": ["pair", "prefix", "none"],
    "data": ["d", "own"],
    "seed": [1, 2],
    "batch_size": [8, 16],
    "learning_rate": [1e-5, 5e-6, 0.001],
    "warmup": [0, 0.1],
    "weight_decay": [0, 0.01],
    "clip": [1, 2.0],
    "threads": [1, 4],
    "pooling": ["cls", "mean", None],
    "projection": [None, {"size": 8}, {"size": 8, "norm": True}],
    "normalize": [True, False, None],
    "sizes": [None, [32, 8], [32]],
    "negatives": [[], ["bm25"], ["bm25", "zero"]],
    "negatives_depth": [100, 200],
    "negatives_kept": [10, 30],
    "negatives_skip": [0, 5],
    "negatives_margin": [None, 0, 0.1],
    "negatives_share": [None, 0.95],
    "negatives_by": [None, "zero"],
    "negatives_without": [["judged"], ["answers"], ["judged", "answers"]],
    "negatives_seed": [1, 2],
    "negatives_per_query": [1, 7],
    "teacher": ["bm25", "zero"],
    "in_batch_teacher": [None, "second"],
    "unscored": ["refused", "skipped"],
    "in_batch": [True, False],
    "positives": ["rotating", "first"],
    "train_queries": [100, 1000, "all"],
    "split": ["train", "test"],
    "epochs": [1, 3],
    "loss": [{"name": "contrast", "temperature": 0.05}, "contrast"],
    "batches": ["random", {"name": "tas", "model": "co"}, {"name": "tas", "model": "co", "clusters": 9}],
    "development": [None, {"split": "dev"}, {"split": "dev", "keep": "last"}],
}


def test_every_key_of_a_retriever_is_varied():
    keys = {field.alias or name for name, field in Retriever.model_fields.items()}
    assert VALUES.keys() == keys - {"recipe", "published", "gpus", "nodes", "prompts"}  # which change no work


@pytest.mark.parametrize("key", VALUES)
def test_an_axis_gives_distinct_models_with_names_that_stay(tmp_path, key):
    """One model for each value; no two have the same work to do; names come from the values alone."""

    def made(values):
        entry = {"recipe": "retriever", "from": "co", "data": "d", "negatives": ["bm25"]}
        entry |= {"negatives_margin": 1} if key == "negatives_by" else {}
        entry |= {"loss": "dual", "teacher": "bm25"} if key.endswith("teacher") else {}
        entry |= {key: "{axis}"}
        line = json.dumps({"swept-{axis}": entry | {"vary": {"axis": values}}})[1:-1]
        graph = Graph(Config(study="s.yaml"), load(tmp_path, ("  first:", f"  {line}\n  first:")))
        names = [name for name in graph.study.models if name.startswith("swept-")]
        work = {
            name: (
                graph.model_settings(name),
                graph.model_inputs(name),
                graph.study.models[name].negatives and graph.negatives_settings(graph.negatives_name(name)),
                graph.study.models[name].negatives and graph.negatives_inputs(graph.negatives_name(name)),
            )
            for name in names
        }
        assert all(graph.model(name) == f"results/s/models/{name}/manifest.json" for name in names)
        return work

    together, turned = made(VALUES[key]), made(VALUES[key][::-1])
    assert len(together) == len(VALUES[key])
    assert together == turned and list(together) == list(turned)[::-1]
    for one, other in combinations(together.values(), 2):
        assert one != other


def test_the_most_awaited_model_goes_first(tmp_path):
    """Everything made from a model counts once, by whatever way it is made from it."""
    graph = Graph(Config(), load(tmp_path))
    awaited = {name: graph.awaited(name) for name in graph.study.models}
    assert awaited == {
        "bert": 9,
        "condenser": 8,
        "co": 7,
        "first": 5,
        "second": 2,
    }


def roots(graph: Graph, job: str) -> list[str]:
    """What the fingerprint of a job's code begins with."""
    rule, name = job.split()[:2]
    function, _, kind = rule.partition("_")
    if kind:
        return graph.study.rankers[name].roots("rank" if function == "probe" else function)
    return graph.study.models[name].roots("work") if rule in kinds("recipes") else [rule]


def test_no_job_carries_what_it_never_reads(tmp_path):
    """A model's recipe chooses its program; it says nothing to it."""
    write_files(tmp_path, {"run.trec": ""})
    runs = ("  bm25:", f"  old: {{kind: file, on: d, runs: {{test: '{tmp_path}/run.trec'}}}}\n  bm25:")
    graph = Graph(Config(), load(tmp_path, TUNED, runs, *INDEXED))
    for job, written in settings(graph).items():
        if not job.startswith("dataset "):
            unread = json.loads(written).keys() - {"recipe"} - read_by(*roots(graph, job))
            assert not unread, f"{job}: {unread}"


# --- datasets that two studies share -----------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "title", "refused"), [("a", "x", False), ("a", "y", False), ("b", "x", False), ("b", "y", True)]
)
def test_a_dataset_of_another_study(tmp_path, study, title, refused):
    """Study `a` made `own`; `a` may define it anew, `b` may only share it."""
    files = tables(tmp_path)
    inline = json.dumps(files)
    other = inline if title == "x" else inline.replace('"columns": {}', '"columns": {"title": "text"}', 1)

    def graph(name, definition):
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"datasets: {{own: {definition}}}\nrankers: {{bm25: {{kind: bm25}}}}\n"
            "tables: {t: {rankers: [bm25], on: own/test, metrics: [MRR@10]}}\n"
        )
        return Graph.load({"study": str(path), "data": str(tmp_path / "data")})

    first = graph("a", inline)
    call(
        "prepare",
        Path(first.dataset("own")),
        json.loads(first.dataset_settings("own")),
        study=f"{tmp_path}/a.yaml",
        files=[],
    )
    if refused:
        with pytest.raises(UserError) as error:
            graph(study, other)
        assert str(error.value) == (
            f"{tmp_path}/b.yaml: datasets.own: {tmp_path}/a.yaml made {tmp_path}/data/own from another definition; "
            "use another name, or delete that folder"
        )
    else:
        assert graph(study, other).dataset("own") == first.dataset("own")


def test_a_file_that_is_not_there(tmp_path):
    graph = Graph(Config(study="s.yaml"), load(tmp_path))
    with pytest.raises(UserError, match=r"^s\.yaml: datasets\.own: no file 'c\.csv'$"):
        graph.dataset_files("own")


def test_the_files_of_a_text_dataset(tmp_path):
    write_files(tmp_path, {name: "x" for name in ("b.txt", "w/2.jsonl.zst", "w/1.jsonl.zst", "w/1.txt")})
    files = [f"{tmp_path}/b.txt", f"{tmp_path}/w/*.zst"]

    def graph(files):
        return Graph(Config(), load(tmp_path, ("  own:\n", f"  wiki: {{source: text, files: {files}}}\n  own:\n")))

    expected = [f"{tmp_path}/{name}" for name in ("b.txt", "w/1.jsonl.zst", "w/2.jsonl.zst")]
    assert graph(files).dataset_files("wiki") == expected
    assert json.loads(graph(files).dataset_settings("wiki")) == {"source": "text", "paths": files, "text": "text"}
    with pytest.raises(
        UserError, match=rf"^studies/quickstart\.yaml: datasets\.wiki: {tmp_path}/w/\*\.gz: no such file$"
    ):
        graph([*files, f"{tmp_path}/w/*.gz"]).dataset_files("wiki")


def test_the_files_of_a_beir_folder(tmp_path):
    files = ["corpus.jsonl.gz", "corpus.jsonl.zst", "queries.jsonl", "qrels/dev.tsv", "qrels/dev.tsv.gz"]
    for left_out, message in (
        ("corpus", r"corpus\.jsonl: no such file \(nor corpus\.jsonl\.gz, corpus\.jsonl\.zst\)$"),
        ("qrels", "no qrels/<split>.tsv in it, plain or compressed$"),
    ):
        write_files(tmp_path / left_out, {name: "" for name in files if left_out not in name})
        with pytest.raises(UserError, match=message):
            Beir(source="beir", path=str(tmp_path / left_out)).files()
    write_files(tmp_path, dict.fromkeys([*files, "qrels/test.tsv.zst"], ""))
    expected = ["corpus.jsonl.gz", "queries.jsonl", "qrels/dev.tsv", "qrels/test.tsv.zst"]
    assert Beir(source="beir", path=str(tmp_path)).files() == [f"{tmp_path}/{name}" for name in expected]


def test_a_model_of_a_hub_or_a_folder_is_named_by_its_place(tmp_path):
    study = load(tmp_path, ("from: bert", "from: hub:ORG/NAME"))
    graph = Graph(Config(), study)
    assert graph.tokenizer_name("first") == "hub--ORG--NAME"
    assert json.loads(graph.tokenizer_settings("hub--ORG--NAME")) == {"source": "ORG/NAME"}
    assert graph.tokenizer_inputs("hub--ORG--NAME") == {"dataset": [], "stand_in": []}
    assert json.loads(graph.model_settings("condenser"))["source"] == "ORG/NAME"
