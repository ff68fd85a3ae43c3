"""A study of examples: what can be written, what follows from it, and what is refused in a line."""

import json
from pathlib import Path

import pytest

from dewpoint.errors import UserError
from dewpoint.study.costs import Costs, summary
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from dewpoint.study.load import load_study

STUDY = """\
datasets:
  d: {source: pydocs, packages: [json]}
  sts: {source: sts}
  near: {source: wiki-sections}
models:
  bert: {recipe: mlm, from: scratch, data: d, architecture: {layers: 2, hidden: 32, heads: 2, vocabulary: 500}}
  scored: {recipe: regression, from: bert, data: sts, train_examples: 500, pooling: mean}
  apart: {recipe: triplet, from: scored, data: near, margin: 2}
  found: {recipe: retriever, from: apart, data: d, negatives: [bm25]}
rankers:
  bm25: {kind: bm25}
  plain: {kind: similarity, model: bert}
  searched: {kind: dense, model: scored}
tables:
  pairs: {rankers: [scored, plain], on: sts/test, metrics: [Spearman, Pearson]}
  triplets: {rankers: [apart, plain], on: near/test, metrics: [Accuracy], baseline: plain}
  both: {rankers: [plain, scored], on: {near/dev: [Accuracy], sts/dev: [Spearman]}, baseline: plain}
  search: {rankers: [searched, found], on: d/test, metrics: [MRR@10]}
"""


def load(folder: Path, *changes: tuple[str, str]) -> Graph:
    text = STUDY
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    (folder / "s.yaml").write_text(text)
    return Graph(Config(study=str(folder / "s.yaml")), load_study(folder / "s.yaml"))


def test_models_are_rankers_by_the_similarity_that_they_are_trained_for(tmp_path):
    graph = load(tmp_path)
    rankers = graph.study.rankers
    assert {name: getattr(rankers[name], "similarity", None) for name in ("scored", "apart", "found", "plain")} == {
        "scored": "cosine",
        "apart": "euclidean",
        "found": None,
        "plain": "cosine",
    }
    assert json.loads(graph.rank_settings("apart", "test")) == {
        "similarity": "euclidean",
        "split": "test",
        "precision": "auto",
        "passage_length": 128,
        "passage_prefix": "",
    }
    assert graph.rank_inputs("apart", "near", "test") == {
        "model": [graph.model("apart")],
        "tokens": [graph.tokens("apart", "near")],
    }
    assert graph.measured(examples=True) == ["scored", "apart", "plain"]
    assert {*graph.measured(examples=False)} == {"found", "bm25", "searched"}


@pytest.mark.parametrize("exact", ["plainly", None])
def test_an_index_is_compared_with_a_search_and_not_with_similarities(tmp_path, exact):
    searched = "searched: {kind: dense, model: scored"
    plainly = "plainly: {kind: dense, model: scored}\n  " if exact else ""
    graph = load(tmp_path, (searched, f"{plainly}{searched}, index: hnsw"))
    assert graph.study.rankers["searched"].exact(graph.study) == exact
    compared = graph.evaluate_inputs("searched", "d", "test")["exact"]
    assert compared == ([graph.run("plainly", "d", "test")] if exact else [])


def test_what_training_reads(tmp_path):
    graph = load(tmp_path)
    settings = json.loads(graph.model_settings("scored"))
    assert (settings["train_examples"], settings["epochs"], settings["learning_rate"]) == (500, 4, 2e-5)
    assert json.loads(graph.model_settings("apart"))["train_examples"] is None
    assert graph.model_inputs("apart") == {
        "dataset": [graph.dataset("near")],
        "tokens": [graph.tokens("apart", "near")],
        "tokenizer": [graph.tokenizer("apart")],
        "parent": [graph.model("scored")],
        "stand_ins": [],
    }


def test_correlations_are_not_tested_beyond_chance(tmp_path):
    graph = load(tmp_path)
    places = json.loads(graph.compare_settings("both"))["places"]
    assert [(place["dataset"], place["metrics"]) for place in places] == [("near", ["Accuracy"]), ("sts", [])]


def test_papers_know_the_datasets_by_other_names(tmp_path):
    study = load(tmp_path).study
    assert study.in_papers(study.tables["pairs"], "sts", "test") == "stsb/test"
    assert study.in_papers(study.tables["triplets"], "near", "test") == "wiki-section/test"


def test_more_examples_cost_more(tmp_path):
    few, more = (Costs(load(tmp_path, ("train_examples: 500", f"train_examples: {n}"))) for n in (500, "all"))
    trained, ranked = (
        [costs.of(path).operations for costs in (few, more)]
        for path in (few.graph.model("scored"), few.graph.run("scored", "sts", "test"))
    )
    assert trained[1] == pytest.approx(trained[0] * 5749 / 500) and trained[0] > 0
    assert ranked[0] == ranked[1] > 0
    text = few.sizes.forward("scored", few.sizes.passage_tokens("sts", 128))
    assert ranked[0] == pytest.approx(2 * 1379 * text)
    assert 0 < few.of(few.graph.dataset("sts")).core_hours < few.of(few.graph.dataset("near")).core_hours
    assert "whose size is not known before" not in summary(few, [("triplet", few.graph.model("apart"))], 100)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # metrics
        (
            "[Spearman, Pearson]",
            "[MRR@10]",
            "tables.pairs.on: sts/test has pairs with scores, which have no MRR@10; write Pearson, Spearman",
        ),
        (
            "[Spearman, Pearson]",
            "[Spearman, Accuracy]",
            "tables.pairs.on: sts/test has pairs with scores, which have no Accuracy; write Pearson, Spearman",
        ),
        (
            "metrics: [Accuracy]",
            "metrics: [Accuracy, Spearman]",
            "tables.triplets.on: near/test has triplets, which have no Spearman; write Accuracy",
        ),
        (
            "metrics: [MRR@10]",
            "metrics: [Spearman]",
            "tables.search.on: Spearman: no split 'test' of pairs with scores; dataset 'd' has none",
        ),
        (
            "sts/test, ",
            "sts/tset, ",
            "tables.pairs.on: Spearman: no split 'tset' of pairs with scores; did you mean",
        ),
        ("[Spearman, Pearson]", "[Spearmann]", "tables.pairs.metrics.0: unknown metric 'Spearmann', write MRR@10"),
        (
            "[Spearman, Pearson]",
            "[Spearman, latency@1]",
            "tables.pairs.metrics: latency@1 is not measured of a similarity, which cannot be asked a question",
        ),
        (
            "metrics: [Spearman, Pearson]",
            "metrics: [Spearman, Pearson], baseline: plain",
            "tables.pairs: baseline needs another ranker, and a metric that each query has, to be compared on",
        ),
        # rankers
        (
            "[scored, plain]",
            "[scored, searched]",
            "tables.pairs.on: ranker 'searched', a dense, ranks passages, and sts/test has none but examples; "
            "kind: similarity or word-vectors compares their texts",
        ),
        (
            "[scored, plain]",
            "[scored, found]",
            "tables.pairs.on: ranker 'found', a dense, ranks passages, and sts/test has none but examples; ",
        ),
        ("[scored, plain]", "[scored, bm25]", "tables.pairs.on: ranker 'bm25', a bm25, ranks passages, and sts/test"),
        (
            "[searched, found]",
            "[searched, apart]",
            "tables.search.on: ranker 'apart', a similarity, compares the texts of examples, and d/test has none",
        ),
        (
            "negatives: [bm25]",
            "negatives: [scored]",
            "models.found.negatives: ranker 'scored', a similarity, compares the texts of examples, and d/train has n",
        ),
        (
            "{kind: similarity, model: bert}",
            "{kind: similarity, model: bert, depth: 10}",
            "rankers.plain: depth: an example has few pairs of texts, and all are kept; leave it out",
        ),
        (
            "{kind: similarity, model: bert}",
            "{kind: similarity, model: bert, similarity: cosin}",
            "rankers.plain.similarity: Input should be 'cosine', 'dot', 'euclidean' or 'manhattan', found 'cosin'",
        ),
        # datasets
        (
            "from: apart, data: d",
            "from: apart, data: sts",
            "models.found.data: dataset 'sts' has examples and no pas",
        ),
        (
            "from: scratch, data: d",
            "from: scratch, data: near",
            "models.bert.data: dataset 'near' has examples and",
        ),
        (
            "data: sts",
            "data: near",
            "models.scored.split: no split 'train' of pairs with scores; dataset",
        ),
        ("data: near", "data: sts", "models.apart.split: no split 'train' of triplets; dataset 'sts' has none"),
        ("data: near", "data: d", "models.apart.split: no split 'train' of triplets; dataset 'd' has none"),
        ("margin: 2", "split: trian", "models.apart.split: no split 'trian' of triplets; did you mean 'train'?"),
        ("data: sts", "data: [sts, near]", "datasets.sts--near.of: dataset 'sts' has examples and no passages"),
        (
            "{source: sts}",
            "{source: sts, relevant: 2}",
            "datasets.sts: relevant is of judged passages, and",
        ),
        # models
        (
            "from: bert, data: sts",
            "from: scratch, data: sts",
            "models.scored.from: an encoder of sentences starts",
        ),
        ("margin: 2", "margin: 0", "models.apart.margin: Input should be greater than 0"),
        ("pooling: mean", "pooling: max", "models.scored.pooling: Input should be 'cls' or 'mean'"),
        ("pooling: mean", "query_from: bert", "models.scored.query_from: unknown key"),
        ("pooling: mean", "passage_length: 600", "models.scored.passage_length: 600 tokens, but the model has 512 pos"),
    ],
)
def test_mistakes_are_a_line(tmp_path, old, new, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, (old, new))
    assert str(error.value).startswith(f"{tmp_path}/s.yaml: {message}")
    assert len(str(error.value).splitlines()) == 1


ODD = """  two: {recipe: retriever, from: bert, query_from: bert, data: d, negatives: [bm25]}
  late: {recipe: colbert, from: bert, data: d, negatives: [bm25]}
  cat: {recipe: crossencoder, from: bert, data: d, negatives: [bm25]}
rankers:
"""


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("two", "'two' has two encoders; the texts of an example are all read by one"),
        ("late", "'late' gives a vector for each token; what is compared here is one vector a text"),
        ("cat", "'cat' gives no vectors but scores of pairs; what is compared here is one vector a text"),
    ],
)
def test_models_that_give_no_vector_a_text_by_one_encoder(tmp_path, model, message):
    more = ("rankers:\n", ODD)
    with pytest.raises(UserError) as error:
        load(tmp_path, more, ("similarity, model: bert", f"similarity, model: {model}"))
    assert str(error.value) == f"{tmp_path}/s.yaml: rankers.plain.model: {message}"
    with pytest.raises(UserError) as error:
        load(tmp_path, more, ("from: bert, data: sts", f"from: {model}, data: sts"))
    told = f"'{model}' is not one encoder with a vector a text, which all texts are read by"
    assert str(error.value) == f"{tmp_path}/s.yaml: models.scored.from: {told}"
