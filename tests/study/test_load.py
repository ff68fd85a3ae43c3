"""What a study may take in, write once for many, and mean by its words."""

import itertools

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.errors import UserError
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from dewpoint.study.load import expand, load_study, read
from sample_study import STUDY, load, write

# --- include ------------------------------------------------------------------------------------


def files(folder, **texts):
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def test_own_entries_win_and_paths_are_relative_to_the_file(tmp_path):
    files(
        tmp_path,
        sub__deep="rankers: {a: deep, b: deep, c: deep}",
        sub__middle="include: [deep.yaml]\nrankers: {b: middle, c: middle}",
        main="include: [sub/middle.yaml]\nrankers: {c: main}\nmodels: {m: main}",
    )
    written = read(tmp_path / "main.yaml")
    assert written["rankers"] == {"a": "deep", "b": "middle", "c": "main"}
    assert written["models"] == {"m": "main"}


def test_of_two_included_the_later_wins_and_both_may_share_a_third(tmp_path):
    files(
        tmp_path,
        shared="datasets: {d: shared, e: shared}",
        one="include: [shared.yaml]\ndatasets: {d: one}",
        two="include: [shared.yaml]\ndatasets: {f: two}",
        main="include: [one.yaml, two.yaml]",
    )
    assert read(tmp_path / "main.yaml")["datasets"] == {"d": "shared", "e": "shared", "f": "two"}


def test_a_study_in_two_files_is_the_study_in_one(tmp_path):
    cut = STUDY.index("rankers:\n")
    files(tmp_path, first=STUDY[:cut], whole=STUDY)
    (tmp_path / "second.yaml").write_text(f"title: Sample\ninclude: [first.yaml]\n{STUDY[cut:]}")
    assert load_study(tmp_path / "second.yaml") == load_study(tmp_path / "whole.yaml")


@pytest.mark.parametrize("texts", [{"a": "include: [a.yaml]"}, {"a": "include: [b.yaml]", "b": "include: [a.yaml]"}])
def test_a_study_that_includes_itself(tmp_path, texts):
    with pytest.raises(UserError, match=r"/a\.yaml: includes itself$"):
        read(files(tmp_path, **texts) / "a.yaml")


def test_mistakes_in_what_is_included_name_the_included_file(tmp_path):
    files(tmp_path, main="include: [shared.yaml]", shared="dataset: {}", lost="include: [shred.yaml]")
    with pytest.raises(UserError, match=r"/shared\.yaml: dataset: unknown key; did you mean 'datasets'\?$"):
        read(tmp_path / "main.yaml")
    with pytest.raises(UserError, match=r"/shred\.yaml: no such study; did you mean '.*/shared\.yaml'\?$"):
        read(tmp_path / "lost.yaml")


# --- vary ---------------------------------------------------------------------------------------

AXES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True), min_size=1
)


@given(AXES)
def test_one_entry_for_each_combination(axes):
    entry = {axis: f"{{{axis}}}" for axis in axes} | {
        "text": "-".join(["t", *(f"{{{axis}}}" for axis in axes)]),
        "same": 1,
    }
    name = "x" + "".join(f"-{{{axis}}}" for axis in axes)
    expanded = expand({name: entry | {"vary": axes}}, "place")
    expected = {}
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        expected["-".join(["x", *map(str, values)])] = chosen | {"text": "-".join(["t", *map(str, values)]), "same": 1}
    assert expanded == expected
    assert list(expanded) == list(expected)


def test_values_keep_their_type_and_names_are_words():
    entry = {"vary": {"n": [10, 2.5, "all"]}, "steps": "{n}", "of": ["{n}", "x{n}"], "inner": {"k{n}": "{n}"}}
    expanded = expand({"{n}": entry}, "place")
    assert expanded == {
        "10": {"steps": 10, "of": [10, "x10"], "inner": {"k10": 10}},
        "2.5": {"steps": 2.5, "of": [2.5, "x2.5"], "inner": {"k2.5": 2.5}},
        "all": {"steps": "all", "of": ["all", "xall"], "inner": {"kall": "all"}},
    }


def test_an_entry_that_two_names_share_varies_under_both():
    entry = {"vary": {"n": [1, 2]}, "k": "{n}"}
    assert list(expand({"a{n}": entry, "b{n}": entry}, "place")) == ["a1", "a2", "b1", "b2"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"x": {"vary": {"n": [1, 2]}}}, "p.x: two entries are named 'x'; put {n} in the name"),
        ({"x-{n}": {"vary": {"n": [1, 2], "m": [1, 2]}}}, "p.x-{n}: two entries are named 'x-1'; put {m} in the name"),
        ({"x1": {}, "x{n}": {"vary": {"n": [1]}}}, "p.x{n}: two entries are named 'x1'"),
        ({"x{n}": {"vary": {"n": 3}}}, "p.x{n}.vary: expected axes, each with a list of values"),
        ({"x{n}": {"vary": {"n": []}}}, "p.x{n}.vary: expected axes, each with a list of values"),
        ({"x{n}": {"vary": [1]}}, "p.x{n}.vary: expected axes, each with a list of values"),
    ],
)
def test_what_cannot_be_varied(entries, message):
    with pytest.raises(UserError) as error:
        expand(entries, "p")
    assert str(error.value) == message


def test_a_sweep_in_a_study(tmp_path):
    """One entry, four models, each a ranker too, known to those that come after."""
    swept = '"{init}-{n}": {vary: {init: [bert, co], n: [1, 20]}, from: "{init}", epochs: "{n}", '
    rest = "recipe: retriever, data: d, negatives: [bm25]}"
    study = load(
        tmp_path, ("  first: {", f"  {swept}{rest}\n  first: {{"), ("rankers: [bm25,", "rankers: [co-20, bm25,")
    )
    made = {name: (model.from_, model.epochs) for name, model in study.models.items() if "-" in name}
    assert made == {"bert-1": ("bert", 1), "bert-20": ("bert", 20), "co-1": ("co", 1), "co-20": ("co", 20)}
    assert study.rankers["co-20"].model == "co-20"


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("true", True),
        ("False", False),
        ("2e-5", 2e-5),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("10", 10),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("~", None),
    ],
)
def test_values_are_what_they_look_like(tmp_path, text, value):
    (tmp_path / "s.yaml").write_text(f"rankers: {{x: {text}}}")
    found = read(tmp_path / "s.yaml")["rankers"]["x"]
    assert (found, type(found)) == (value, type(value))


def test_on_is_a_key(tmp_path):
    assert load(tmp_path).tables["t"].on == "d/test"


def test_shared_defaults_by_merge_key(tmp_path):
    (tmp_path / "s.yaml").write_text("rankers:\n  a: &a {kind: bm25, depth: 5}\n  b: {<<: *a, depth: 6}\n")
    assert read(tmp_path / "s.yaml")["rankers"]["b"] == {"kind": "bm25", "depth": 6}


def test_the_schema_takes_a_study_as_it_is_written(tmp_path):
    """What the loader accepts an editor accepts, and what it refuses an editor marks."""
    import jsonschema

    from dewpoint.study.grammar import schema
    from dewpoint.study.written import Yaml

    validator = jsonschema.Draft202012Validator(schema())
    written = yaml.load(STUDY, Yaml)
    written["include"] = ["other.yaml"]
    written["rankers"]["bm25-{k1}"] = {"vary": {"k1": [0.9, 1.2]}, "kind": "bm25", "k1": 0.9}
    assert list(validator.iter_errors(written)) == []
    for old, new in [("layers: 2", "layrs: 2"), ("recipe: mlm", "recipe: mln"), ("MRR@10", "NDCG@10")]:
        wrong = yaml.load(write(tmp_path, (old, new)).read_text(), Yaml)
        assert list(validator.iter_errors(wrong))


def test_without_tables_every_model_is_made(tmp_path):
    """A study that only pre-trains; with a table, what it does not need is left out."""
    text = STUDY[: STUDY.index("tables:")]
    path = tmp_path / "pretrain.yaml"
    path.write_text(text)
    graph = Graph(Config(study=str(path)), load_study(path))
    assert set(graph.needed.models) == {"bert", "condenser", "co", "first", "second"} and not graph.all_scores
    path.write_text(text + "tables: {t: {rankers: [zero], on: d/test, metrics: [R@10]}}")
    assert set(Graph(Config(study=str(path)), load_study(path)).needed.models) == {"bert", "condenser", "co"}
