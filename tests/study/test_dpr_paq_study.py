"""The study of the DPR-PAQ paper: what of the paper it has, and that its rows differ in what the paper says alone."""

from functools import cache

import pytest

from dewpoint.study.graph import Graph
from dewpoint.study.published import PUBLISHED, load_paper

NO_SPLIT = ("kilt/dev", "nq/test-in-paq")  # a mean, and part of a split, which `overlap` looks at


@cache
def study(name: str = "dpr-paq"):
    return Graph.load({"study": f"studies/{name}.yaml"}).study


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4", "figure2"])
def test_each_figure_of_the_papers_own_systems_is_measured(name):
    """By one ranker; systems of others are said to be absent."""
    measured, absent, of = [], set(), study("dialogue" if name == "table3" else "dpr-paq")
    for table in of.tables.values():
        if table.paper == f"dpr-paq/{name}":
            absent |= {*table.absent}
            measured += [
                (str(of.rankers[ranker].published), of.in_papers(table, *place), metric)
                for ranker in table.rankers
                for place, metrics in table.columns.items()
                for metric in metrics
                if of.rankers[ranker].published
            ]
    printed = {
        (str(one.row), on, metric)
        for one in load_paper(PUBLISHED / "dpr-paq.yaml").tables[name].rows
        for on, metrics in one.on.items()
        for metric in metrics
        if one.row.system not in absent and on not in NO_SPLIT
    }
    assert printed and printed <= {*measured} and len(measured) == len({*measured})


def test_models_of_a_task_differ_in_their_data_alone():
    """And a table has a model of its own task."""
    tasks = [table.removeprefix("table2-") for table in study().tables if table.startswith("table2-")]
    assert tasks == study().datasets["kilt"].tasks
    for size in ("base", "large"):
        models = [study().models[f"kilt-{task}-bert-{size}"] for task in tasks]
        assert [model.split for model in models] == [model.development.split for model in models]
        assert [model.split for model in models] == [f"{task}-train" for task in tasks]
        plain = [model.model_copy(update={"split": "", "development": None}) for model in models]
        assert all(model == plain[0] for model in plain)
    for task in tasks:
        table = study().tables[f"table2-{task}"]
        assert {*table.columns} == {("kilt", f"{task}-dev")}
        assert table.rankers[1:] == [f"kilt-{task}-bert-base", f"kilt-{task}-bert-large"]


def test_dialogues_keep_their_ends_and_are_ranked_among_their_own_candidates():
    of = study("dialogue")
    tables = [table for table in of.tables.values() if table.paper == "dpr-paq/table3"]
    for table in tables:
        ((dataset, split),) = table.columns
        for name in table.rankers:
            ranker = of.rankers[name]
            assert of.rankers[ranker.of].list == "candidates"
            assert split in of.datasets[dataset].lists["candidates"]
            (model,) = (of.models[by] for by in ranker.by)
            assert (model.data, model.query_cut, model.query_length) == (dataset, "left", 256)
            assert bool(model.negatives) == ("train" in of.datasets[dataset].lists["candidates"])
            assert model.from_.startswith("reddit-" if ranker.published.pretrained == "reddit" else "hub:")
    assert len(tables) == 3


@pytest.mark.parametrize("name", ["dpr-paq", "dialogue"])
def test_no_model_is_chosen_by_what_a_table_measures(name):
    of = study(name)
    places = {place for table in of.tables.values() for place in table.columns}
    chosen = {(model.data, model.development.split) for model in of.models.values() if model.recipe == "retriever"}
    assert chosen and not chosen & places


def test_models_whose_selection_is_judged_were_measured_on_one_corpus():
    models = [study().models[name] for name in study().analyses["selection"].models]
    assert len({str((model.data, model.negatives, model.development)) for model in models}) == 1
