from collections import Counter

import small_study as small

from dewpoint.report.graph import model_graph, picture
from dewpoint.report.layers import Edge


def test_models_and_rankers_each_appear_once():
    nodes, edges = model_graph(small.study())
    assert {key: node.kind for key, node in nodes.items()} == {
        "models.bert": "model",
        "models.first": "retriever",
        "models.second": "retriever",
        "rankers.bm25": "ranker",
        "rankers.hybrid": "ranker",
    }
    assert Counter(edges) == Counter(
        [
            Edge("models.bert", "models.first"),
            Edge("models.bert", "models.second"),
            Edge("rankers.bm25", "models.first", dashed=True),
            Edge("rankers.bm25", "models.second", dashed=True),
            Edge("models.first", "models.second", dashed=True),
            Edge("models.second", "rankers.hybrid"),
            Edge("rankers.bm25", "rankers.hybrid"),
        ]
    )


def test_a_ranker_may_have_the_name_of_another_model():
    nodes, _ = model_graph(small.study(rankers=dict(small.study().rankers) | {"bert": {"kind": "bm25"}}))
    assert nodes["models.bert"].label == "mlm, from scratch" and nodes["rankers.bert"].label == "bm25"


def test_what_is_fetched_is_one_node_for_all_who_start_from_it():
    hub = {**small.COMMON, "recipe": "mlm", "from": "hub:org/bert"}
    nodes, edges = model_graph(small.study(models={"a": hub, "b": hub}, rankers={"bm25": {"kind": "bm25"}}))
    assert nodes["hub:org/bert"].name == "org/bert" and nodes["hub:org/bert"].label == "hub"
    assert set(edges) == {Edge("hub:org/bert", "models.a"), Edge("hub:org/bert", "models.b")}


def test_a_query_encoders_beginning_is_drawn_too():
    mixed = {**small.COMMON, "recipe": "retriever", "from": "hub:org/bert", "query_from": "hub:org/tiny"}
    again = mixed | {"from": "a", "query_from": "a"}
    _, edges = model_graph(small.study(models={"a": mixed, "b": again}, rankers={}))
    assert set(edges) == {
        Edge("hub:org/bert", "models.a"),
        Edge("hub:org/tiny", "models.a"),
        Edge("models.a", "models.b"),
    }


def test_names_fit_their_boxes():
    for _, node, box in picture(small.study()).nodes:
        assert box.width >= 7 * len(node.name) and box.width >= 6 * len(node.label)
