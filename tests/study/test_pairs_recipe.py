"""Mistakes in an entry of recipe `pairs` are one line; what made pairs need is less than what judged ones do."""

import pytest

from dewpoint.errors import UserError
from sample_study import load

OTHER = "}\n  p: {recipe: pairs, from: bert, data: "  # one more model, behind
SECOND = "negatives: [bm25, first]"


def loaded(tmp_path, entry: str):
    return load(tmp_path, (f"{SECOND}}}", f"{SECOND}{OTHER}{entry}}}"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("d, keep: 0.2", "models.p: keep goes with task: ict, the only one that takes a sentence out of its passage"),
        ("d, task: ict, negatives: [bm25]", "models.p: task: ict makes its pairs of passages; negatives, split, "),
        ("d, task: bfs, train_pairs: 5", "models.p: task: bfs makes its pairs of passages; "),
        ("d, task: bfs, batch_size: 1", "models.p: batch_size: 1 leaves a query nothing to tell its passage from"),
        ("d, split: dve", "models.p.split: "),
        ("d, loss: margin-mse", "models.p.loss: 'margin-mse' follows a teacher, and pairs have none; contrast would"),
        ("d, task: ict, query_from: co", "models.p.query_from: task: ict takes queries out of passages; both "),
        ("d, development: {data: d, split: train}", "models.p.development.split: 'train' is trained on; name another"),
        ("d, development: {data: d, split: dve}", "models.p.development.split: "),
        ("d, development: {data: e}", "models.p.development.data: "),
        ("d, development: {data: d, rankers: [bm25], depth: 2000}", "models.p.development.depth: 2000, but ranker"),
        ("d, negatives: [bm25], negatives_depth: 2000", "models.p.negatives_depth: 2000, but ranker 'bm25' keeps"),
    ],
)
def test_mistakes(tmp_path, entry, message):
    with pytest.raises(UserError) as error:
        loaded(tmp_path, entry)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_made_pairs_need_no_queries(tmp_path):
    """The dataset's splits are not looked at."""
    study = loaded(tmp_path, "own, task: ict, keep: 0.5, development: {data: d, rankers: [bm25]}")
    assert study.models["p"].split == "train"
    assert [of for key, *of in study.models["p"].asks()] == [["bm25", "d", "dev"]]


def test_an_analysis_of_models_that_are_not_measured(tmp_path):
    analysis = "tables:\n", "analyses:\n  a: {kind: proxy, models: [first, second, hybrid], on: d/dev}\ntables:\n"
    with pytest.raises(UserError, match=r"analyses.a.models: 'first' is not measured while it is trained; give it a"):
        load(tmp_path, analysis)
