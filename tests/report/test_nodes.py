"""What a node of the model graph opens: where it comes from, what is its own, and what it cost."""

import small_study as small

from dewpoint.report.graph import picture
from dewpoint.report.lineage import follow
from dewpoint.report.nodes import details


def found(tmp_path, **changes):
    study = small.study(**changes)
    out, _ = small.results(tmp_path, study)
    manifests = [*out.glob("models/*/manifest.json"), *out.glob("scores/*/*.json")]
    trained = [name for name in study.models if name != "first"]
    return {
        one.node.name + one.node.kind: one for one in details(study, picture(study), follow(manifests, out), trained)
    }


def test_each_has_its_parents_and_settings_of_its_own(tmp_path):
    of = found(tmp_path)
    second = of["secondretriever"]
    assert {(name, how) for _, name, how in second.parents} == {
        *(("bert", "made from"), ("bm25", "gives negatives"), ("first", "gives negatives"))
    }
    assert {id: name for id, name, _ in second.parents}[of["bertmodel"].id] == "bert"
    assert second.settings == {"data": "docs", "learning_rate": "0.001", "epochs": "7"}
    assert (second.row, second.curves) == ("model-second", "training-second")
    assert of["firstretriever"].curves is None and of["bm25ranker"].row == "ranker-bm25"


def test_a_retriever_costs_its_training_and_its_search(tmp_path):
    of = found(tmp_path)
    assert {one.name for one in of["secondretriever"].cost.made} == {
        *("models/second", "runs/second/docs.test", "scores/second/docs.test")
    }
    assert of["bertmodel"].cost.seconds == 1


def test_a_model_and_a_ranker_of_one_name_are_told_apart(tmp_path):
    rankers = dict(small.study().rankers) | {"bert": {"kind": "bm25"}}
    table = small.study().tables["main"].model_dump() | {"rankers": ["bert", "second"]}
    of = found(tmp_path, rankers=rankers, tables={"main": table})
    assert {one.name for one in of["bertmodel"].cost.made} == {"models/bert"}
    assert {one.name for one in of["bertranker"].cost.made} == {"runs/bert/docs.test", "scores/bert/docs.test"}


def test_what_is_fetched_has_no_cost_and_no_row(tmp_path):
    hub = {**small.COMMON, "recipe": "mlm", "from": "hub:org/bert"}
    of = found(tmp_path, models=small.study().model_dump(by_alias=True)["models"] | {"bert": hub})
    assert of["org/bertsource"].cost is None and of["org/bertsource"].row is None
    assert of["bertmodel"].parents == [(of["org/bertsource"].id, "org/bert", "made from")]
