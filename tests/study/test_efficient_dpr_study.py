"""The study of smaller encoders for DPR: the paper's whole tables, and models that differ in what it says alone."""

from functools import cache

import pytest

from dewpoint.study.graph import Graph
from dewpoint.study.published import PUBLISHED, load_paper
from dewpoint.study.sizes import Sizes

OWN = {"bert": 768, "distilbert": 768, "tinybert": 312, "electra": 256}
TABLES = ["table2", "table3", "table4", "table5"]
SAID = {"from_", "query_from", "batch_size", "warmup", "projection"}  # in which they may differ


@cache
def graph():
    return Graph.load({"study": "studies/efficient-dpr.yaml"})


def trained():
    return {name: model for name, model in graph().study.models.items() if model.tag() == "retriever"}


@pytest.mark.parametrize("name", TABLES)
def test_each_figure_is_measured_once(name):
    of = graph().study
    table, printed = of.tables[name], load_paper(PUBLISHED / "efficient-dpr.yaml").tables[name]
    measured = [
        (str(of.rankers[ranker].published), of.in_papers(table, *place), metric)
        for ranker in table.rankers
        for place, metrics in table.columns.items()
        for metric in metrics
    ]
    figures = {
        (str(one.row), on, metric) for one in printed.rows for on, metrics in one.on.items() for metric in metrics
    }
    assert table.paper == f"efficient-dpr/{name}" and figures == {*measured} and len(measured) == len(figures)


def test_a_name_says_encoder_size_and_batch():
    """A projection is there where the size is not the encoder's own, and the rankers search what their names say."""
    batches = {"bert": 16, "distilbert": 64, "tinybert": 128, "electra": 64}
    for name, model in trained().items():
        encoder, size, *batch = name.split("-")
        assert encoder in model.from_.lower()
        assert (model.projection.size if model.projection else OWN[encoder]) == int(size)
        assert (model.projection is None) == (int(size) == OWN[encoder])
        assert model.batch_size == int(*batch or [batches[encoder]]) and model.from_ == model.query_from
        published = graph().study.rankers[f"{name}-hnsw"].published
        assert (published.size, published.batch) == (int(size), model.batch_size)
        assert published.encoder.split("-")[0] == encoder and graph().study.rankers[f"{name}-hnsw"].model == name
    assert len(trained()) == 22 + 5


def test_models_differ_in_what_the_paper_says_alone():
    whole = [model.model_dump(exclude=SAID | {"published"}) for model in trained().values()]
    assert all(one == whole[0] for one in whole)


def test_warm_up_takes_a_hundred_steps():
    questions = Sizes(graph()).queries("wiki", "nq-train")
    for model in trained().values():
        assert model.warmup * questions * model.epochs / model.batch_size == pytest.approx(100, abs=1)


def test_search_is_that_of_the_paper():
    """On the reduced corpus, which training does not see; what is timed is timed together."""
    for name, ranker in graph().study.rankers.items():
        if name.endswith("-hnsw"):
            assert ranker.index.model_dump() == {"name": "hnsw", "M": 512, "efConstruction": 200, "efSearch": 128}
            assert ranker.depth == 100
    tables = graph().study.tables
    assert {place for table in tables.values() for place in table.columns} == {("nq-reduced", "nq-dev")}
    assert {model.data for model in trained().values()} == {"wiki"}
    assert graph().table_turns("table2") == graph().table_turns("costs") and tables["table2"].turns == 5
    assert graph().evaluate_inputs("bert-768-hnsw", "nq-reduced", "nq-dev")["latency"] == []


def test_shapes_are_known_to_the_plan():
    sizes = {name: Sizes(graph()).shape(name) for name in ("bert-768", "distilbert-768", "tinybert-312", "electra-256")}
    assert sizes == {
        "bert-768": (12, 768),
        "distilbert-768": (6, 768),
        "tinybert-312": (4, 312),
        "electra-256": (12, 256),
    }
