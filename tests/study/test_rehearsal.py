"""Rehearsal: everything is small, nothing is larger than it was, and no path is one of the real run's."""

from itertools import pairwise

import pytest

from dewpoint.errors import UserError
from dewpoint.recipes._pretraining import Pretraining
from dewpoint.recipes._retrieval import few
from dewpoint.study.graph import QUERIES, Graph
from sample_study import load, write

STUDIES = ("condenser", "cocondenser", "quickstart")
OWN = """\
datasets:
  b: {source: beir, path: my/beir}
  t:
    source: table
    corpus: {file: a/rows.csv}
    queries: {train: {file: q/rows.tsv}, test: {file: q/more.tsv}}
    judgements: {train: {file: j/rows.tsv}, test: {file: j/more.tsv}}
  w: {source: text, files: [wiki/*.jsonl.zst, books.txt]}
  v: {source: tevatron, corpus: [corpus/*.jsonl], queries: {train: train.jsonl}}
models:
  one: {recipe: retriever, from: hub:a/roberta-x, query_from: hub:b/c, data: v, train_queries: 1000}
  two: {recipe: released, from: hub:sentence-transformers/all-mpnet-base-v2}
"""


def graph(study: str) -> Graph:
    return Graph.load({"study": study, "rehearse": True})


def paths(graph: Graph) -> list[str]:
    """Everything that a run of a study writes."""
    study = graph.needed
    made = [path for name in study.datasets for path in (graph.dataset(name), *graph.dataset_files(name))]
    made += [path for name in study.tables for path in graph.table(name)]
    read = []
    for name, model in study.models.items():
        made += [graph.model(name), graph.tokenizer(name)]
        read += [graph.model_inputs(name), graph.tokenizer_inputs(graph.tokenizer_name(name))]
        if getattr(model, "negatives", None):
            read.append(graph.negatives_inputs(graph.negatives_name(name)))
    for on in graph.scores:
        made += [graph.score(*on), graph.run(*on)]
        read += [graph.rank_inputs(*on), graph.evaluate_inputs(*on)]
    return made + [path for inputs in read for paths in inputs.values() for path in paths]


@pytest.mark.parametrize("study", STUDIES)
def test_no_path_is_one_of_the_real_run(study):
    rehearsed, real = graph(f"studies/{study}.yaml"), Graph.load({"study": f"studies/{study}.yaml"})
    assert all(path.startswith(("data/rehearsal/", "results/rehearsal/")) for path in paths(rehearsed))
    assert not set(paths(rehearsed)) & set(paths(real))


@pytest.mark.parametrize("study", STUDIES)
def test_nothing_is_larger_than_it_was(study):
    real = Graph.load({"study": f"studies/{study}.yaml"}).study
    for name, small in graph(f"studies/{study}.yaml").study.models.items():
        model = real.models[name]
        keys = ["batch_size", "query_length", "passage_length", "epochs", "steps"]
        keys += ["length", "measurements"] if isinstance(model, Pretraining) else ["beside"]
        keys = [key for key in keys if hasattr(model, key)]
        assert len(keys) >= (2 if model.recipe == "released" else 4)
        assert all(getattr(small, key) <= getattr(model, key) for key in keys)
        assert small.recipe == model.recipe


def test_a_model_that_is_small_already_stays_as_it_is(tmp_path):
    change = (
        "data: d, negatives: [bm25]}",
        "data: d, negatives: [bm25], epochs: 1, batch_size: 2, train_queries: 3, query_length: 8, passage_length: 9}",
    )
    first = graph(str(write(tmp_path, change))).study.models["first"]
    assert (first.batch_size, first.train_queries, first.query_length, first.passage_length) == (2, 3, 8, 9)


@pytest.mark.parametrize(
    ("written", "length", "kept"),
    [
        ("query: ", 32, "query: "),
        ("Instruct: find\\nQuery:", 64, "\nQuery:"),
        ("für Größen: ", 64, "ßen: "),
        ("q:", 3, ""),
        ("", 32, ""),
    ],
)
def test_prefixes_leave_room_for_a_text(tmp_path, written, length, kept):
    """Where each byte of them is a token; their end decides whether they come apart from it."""
    change = ("data: d, negatives: [bm25]}", f'data: d, query_length: {length}, query_prefix: "{written}"}}')
    first = graph(str(write(tmp_path, change))).study.models["first"]
    assert first.query_prefix == kept and len(kept.encode()) <= first.query_length // 2


def test_the_users_files_and_released_models_are_replaced(tmp_path):
    """By files of distinct names below the rehearsal's folder, none of which must be there."""
    (tmp_path / "own.yaml").write_text(OWN)
    made = graph(str(tmp_path / "own.yaml"))
    sets = made.study.datasets
    tables = [sets["t"].corpus, *sets["t"].queries.values(), *sets["t"].judgements.values()]
    files = [*(file.file for file in tables), *sets["w"].paths, *sets["v"].corpus, *sets["v"].queries.values()]
    assert len(set(files)) == len(files)
    assert all(file.startswith("data/rehearsal/files/") for file in [*files, sets["b"].path])
    assert not any("*" in file for file in files)
    assert made.study.datasets["w"].paths[0].endswith(".jsonl.zst")  # the format is the file's
    assert made.stood_for == {
        "a--roberta-x": "a/roberta-x",
        "b--c": "b/c",
        "sentence-transformers--all-mpnet-base-v2": "sentence-transformers/all-mpnet-base-v2",
    }
    folder = "data/rehearsal/stand-ins"
    stand_ins = [f"{folder}/{name}/manifest.json" for name in ("a--roberta-x", "b--c")]
    assert made.model_inputs("one")["stand_ins"] == stand_ins
    assert made.tokenizer_inputs(made.tokenizer_name("one", QUERIES))["stand_in"] == stand_ins[1:]


def test_the_page_says_that_it_is_a_rehearsal():
    study = graph("studies/quickstart.yaml").study
    assert study.title == "Rehearsal: Quickstart"
    assert "means nothing" in study.description


@pytest.mark.parametrize("name", ["downloads", "files", "stand-ins", "tokenizers", "rehearsal"])
def test_a_dataset_does_not_take_another_folder(tmp_path, name):
    with pytest.raises(UserError, match=rf"datasets.{name}: data/{name} has another use; take another name"):
        load(tmp_path, ("  own:", f"  {name}:"))


def test_a_study_does_not_take_the_folder_of_rehearsals(tmp_path):
    with pytest.raises(UserError, match="results/rehearsal: has another use; give the file another name"):
        graph(str(write(tmp_path, name="rehearsal.yaml")))


def test_layers_of_stand_ins_suffice():
    """A stand-in has two layers, so that one is early and one is late."""
    for name in ("condenser", "cocondenser"):
        models = graph(f"studies/{name}.yaml").study.models.values()
        assert {model.early_layers for model in models if hasattr(model, "early_layers")} <= {1}


def test_settings_of_stand_ins_name_what_they_stand_for():
    made = graph("studies/condenser.yaml")
    sources = [made.stand_in_settings(place) for place in made.stood_for]
    assert [one for one in sources if "Luyu/condenser" in one] and len(set(sources)) == 3


def test_subsets_grow():
    assert all(few(fewer) < few(more) for fewer, more in pairwise([10, 100, 1000, 10_000, 100_000]))
    assert few("all") == "all"
