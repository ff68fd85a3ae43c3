"""A catalogue of what a study cannot mean, though YAML and types allow it: each is one line that says where and why."""

import json

import pytest

from dewpoint.errors import UserError
from dewpoint.study.graph import Graph
from dewpoint.study.load import load_config, load_study, notes
from dewpoint.study.rehearsal import flat
from sample_study import load, write

VALUES = [
    # numbers
    ("seed: 7", "steps: true", "models.co: steps: neither true nor false can stand here"),
    ("seed: 7", "learning_rate: true", "models.co: learning_rate: neither true nor false can stand here"),
    ("[1, 0.5]", "[true, 1]", "rankers.weighted: weights: neither true nor false can stand here"),
    ("seed: 7", f"steps: 1{'0' * 30}", "models.co.steps: Input should be less than or equal to 2147483647, found 1000"),
    ("seed: 7", f"steps: 1{'0' * 40}", ":12: not YAML (a number of 41 digits)"),
    ("seed: 7", f"seed: {'9' * 30}", "models.co.seed: Input should be less than or equal to 9223372036854775807, fo"),
    ("kind: bm25", f"kind: bm25, depth: 1{'0' * 21}", "rankers.bm25.depth: Input should be less than or equal to 2147"),
    (
        "seed: 7",
        "steps: 1:30",
        "models.co.steps: Input should be a valid integer, unable to parse string as an integer",
    ),
    ("seed: 7", "learning_rate: inf", "models.co.learning_rate: Input should be a finite number, found 'inf'"),
    ("seed: 7", "learning_rate: 1e400", "models.co.learning_rate: Input should be a finite number, found inf"),
    ("seed: 7", "held_out: 1", "models.co.held_out: Input should be less than 1, found 1"),
    ("vocabulary: 500", "dropout: 1", "models.bert.architecture.dropout: Input should be less than 1, found 1"),
    (
        "vocabulary: 500",
        "vocabulary: 1",
        "models.bert.architecture.vocabulary: Input should be greater than or equal to 64",
    ),
    (
        "model: co",
        "model: co, index: {name: hnsw, M: 1}",
        "rankers.zero.index.M: Input should be greater than or equal to 2",
    ),
    ("model: co", "model: co, index: 'HNSW1,Flat'", "rankers.zero.index.factory: 'HNSW1' in it cannot be built"),
    ("model: co", "model: co, index: 'IVF64,RQ0x4'", "rankers.zero.index.factory: 'RQ0' in it cannot be built"),
    # lengths
    ("seed: 7", "length: 7", "models.co.length: Input should be greater than or equal to 8, found 7"),
    ("[bm25]}", "[bm25], query_length: 2}", "models.first.query_length: Input should be greater than or equal to 3"),
    (
        "[bm25]}",
        "[bm25], passage_length: 4}",
        "models.first.passage_length: Input should be greater than or equal to 5",
    ),
    ("seed: 7", "length: 1000000", "models.co.length: 1000000 tokens, but the model has 512 positions"),
    ("vocabulary: 500", "positions: 16", "models.bert.length: 128 tokens, but the model has 16 positions"),
    ("[bm25]}", "[bm25], query_length: 513}", "models.first.query_length: 513 tokens, but the model has 512 positions"),
    ("[bm25]}", "[bm25], passage_length: 513}", "models.first.passage_length: 513 tokens, but the model has 512 posi"),
    ("seed: 7", "passage_length: 600", "rankers.zero.model: passage_length of 'co': 600 tokens, but the model has 512"),
    ("[bm25]}", "[bm25], train_query_length: 40}", "models.first: train_query_length 40 is above query_length 32"),
    # nothing to learn from, nothing to add up
    ("seed: 7", "batch_size: 1", "models.co.batch_size: 1 document a step leaves its spans nothing to be told from"),
    ("[bm25]}", "[], batch_size: 1}", "models.first: batch_size: 1 leaves a query nothing to tell its positive from"),
    ("[1, 0.5]", "[0, 0]", "rankers.weighted: weights are 0 or more, and one at least is more"),
    ("[1, 0.5]", "[-1, 2]", "rankers.weighted: weights are 0 or more, and one at least is more"),
    ("[1, 0.5]", "[nan, 1]", "rankers.weighted.weights.0: Input should be a finite number, found 'nan'"),
    ("[1, 0.5]", "[]", "rankers.weighted: 0 weights for 2 rankers"),
    # twice
    ("[bm25, second, h", "[bm25, bm25, h", "tables.t.rankers: 'bm25' is there twice; once is enough"),
    ("R@100]", "MRR@10]", "tables.t.metrics: 'MRR@10' is there twice; once is enough"),
    ("[second, bm25]", "[bm25, bm25]", "rankers.hybrid.of: 'bm25' is there twice; once is enough"),
    ("[bm25, first]", "[first, first]", "models.second.negatives: 'first' is there twice; once is enough"),
    ("[json]", "[json, json]", "datasets.d.packages: 'json' is there twice; once is enough"),
    ("  zero: {", "  'z{a}': {vary: {a: [1, 1.0]}, ", "rankers.z{a}.vary.a: 1.0 is there twice"),
    # names and texts
    ("[json]", "[../json]", "datasets.d.packages.0: expected a name of letters, digits, - and _, found '../json'"),
    ("  zero:", "  5:", "rankers: expected a name, found 5; put it in quotes"),
    ("  zero: {", "  5: {vary: {a: [1, 2]}, ", "rankers: expected a name, found 5; put it in quotes"),
    (
        "  zero: {",
        "  'z{a}': {vary: {1: [1, 2]}, ",
        "rankers.z{a}.vary: expected an axis's name, found 1; put it in quotes",
    ),
    ("  bert:", f"  {'long' * 50}:", f"models.{'long' * 50}: String should have at most 150 characters"),
    ("  t:", f"  {'ab' * 20}:", f"tables.{'ab' * 20}: ends with 'ab' twenty times; take another name"),
    ("title: Sample", r'title: "a\0b"', ":1: not YAML (character U+0000 cannot be in a text)"),
    ("title: Sample", r'title: "\ud800"', ":1: not YAML (character U+D800 cannot be in a text)"),
    # models of others
    (
        "from: bert",
        "from: 'hub:'",
        "models.condenser.from: expected hub:ORG/NAME[@REVISION], found 'hub:'",
    ),
    (
        "from: bert",
        "from: 'hub:../..'",
        "models.condenser.from: expected hub:ORG/NAME[@REVISION], found 'hub:../..'",
    ),
    (
        "from: bert",
        "from: 'hub:a/{b}'",
        "models.condenser.from: expected hub:ORG/NAME[@REVISION], found 'hub:a/{b}'",
    ),
    ("from: bert", "from: 'path:'", "models.condenser.from: no folder ''"),
    (
        "from: bert",
        "from: 'path:/'",
        "models.condenser.from: folder '/' has no model in it, neither config.json nor modules",
    ),
    # without end
    ("title: Sample", "title: &a [*a]", ":1: not YAML (*a is inside of what it stands for)"),
    ("models:", "models: &m\n  self: *m", ":10: not YAML (*m is inside of what it stands for)"),
    ("title: Sample", f"title: {'[' * 5000}", ":1: not YAML (nested more than 30 deep)"),
    ("title: Sample", f"title: {'{a: ' * 5000}", ":1: not YAML (nested more than 30 deep)"),
    ("title: Sample", f"title: {'9' * 5000}", ":1: not YAML (a number of 5,000 digits)"),
    ("title: Sample", "title: !!int x", ":1: not YAML (tag tag:yaml.org,2002:int is not used here)"),
    (
        "title: Sample",
        "title: !!python/name:os.system x",
        ":1: not YAML (tag tag:yaml.org,2002:python/name:os.system is",
    ),
    (
        "  zero: {",
        f"  'z{{a}}': {{vary: {{a: [1, {'v' * 10_000}]}}, x: '{'{a}' * 11}', ",
        "rankers.z{a}.vary: {a} makes a text of 110,000 letters, at most 100,000",
    ),
    (
        "title: Sample",
        "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 8}]\n" for n in range(12)),
        ":7: not YAML (more than 1,000,000 values, aliases written out)",
    ),
    (
        "  zero: {",
        "  '{a}{b}{c}{d}': {vary: {"
        + ", ".join(f"{axis}: [{', '.join(map(str, range(200)))}]" for axis in "abcd")
        + "}, ",
        "rankers.{a}{b}{c}{d}.vary: makes 1,600,000,000 entries, which is more than a study can have",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), VALUES, ids=[new[:50] for _, new, _ in VALUES])
def test_one_line(tmp_path, old, new, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, (old, new))
    separator = "" if message.startswith(":") else ": "
    assert str(error.value).startswith(f"{tmp_path}/study.yaml{separator}{message}")
    assert len(str(error.value).splitlines()) == 1


FOLDER = "expected a folder, without braces or line ends and not from ~ on, found "
CONFIG = [
    ({"output": "~/x"}, f"output: {FOLDER}'~/x'"),
    ({"output": "a\nb"}, f"output: {FOLDER}'a\\nb'"),
    ({"data": "{a}"}, f"data: {FOLDER}'{{a}}'"),
    ({"data": ""}, f"data: {FOLDER}''"),
    ({"mirrors": {"trec": "https://a.b/"}}, "mirrors: 'trec' begins no address, as https://trec.nist.gov/ does"),
    ({"mirrors": {"https://a.b/": "nowhere"}}, "mirrors: 'nowhere' is neither an address nor a folder"),
    ({"shards": 1_000_000}, "shards: Input should be less than or equal to 10000, found 1000000"),
    ({"seed": True}, "seed: neither true nor false can stand here"),
    ({"seed": 10**30}, "seed: Input should be less than or equal to 9223372036854775807"),
]


@pytest.mark.parametrize(("values", "message"), CONFIG)
def test_config(values, message):
    with pytest.raises(UserError) as error:
        load_config(values)
    assert str(error.value).startswith(f"config.yaml: {message}")


def test_what_is_no_mistake(tmp_path):
    """Whole numbers may have an exponent, a title may look like a date, and results may lie above."""
    study = load(tmp_path, ("seed: 7", "steps: 1e3"), ("title: Sample", "title: 2020-01-01"))
    assert (study.models["co"].steps, study.title) == (1000, "2020-01-01")
    assert (load_config({"seed": 1e3}).seed, load_config({"output": ".."}).output) == (1000, "..")


# --- studies of several files -------------------------------------------------------------------


def test_two_studies_that_take_from_each_other(tmp_path):
    write(tmp_path, ("from: bert", "from: b/bert"), name="a.yaml")
    write(tmp_path, ("from: co, data", "from: a/co, data"), name="b.yaml")
    with pytest.raises(UserError) as error:
        load_study(tmp_path / "a.yaml")
    says = f"{tmp_path}/a.yaml takes a model from here itself; put what both need into a third study"
    assert str(error.value) == f"{tmp_path}/b.yaml: models.first.from: {says}"


INCLUDING = "include: [{0}.yaml, ./{0}.yaml]\n"
TAKING = """\
datasets:
  d: {{source: pydocs, packages: [json]}}
models:
  co: {{recipe: condenser, from: {0}/co, data: d, early_layers: 1}}
  other: {{recipe: condenser, from: {0}/co, data: d, early_layers: 1}}
"""


@pytest.mark.parametrize(("text", "models"), [(INCLUDING, 5), (TAKING, 2 + 24 + 3)])
def test_studies_that_double_all_the_way_down(tmp_path, text, models):
    """Each file is read once, however many ways lead to it."""
    write(tmp_path, name="s0.yaml")
    for number in range(1, 26):
        (tmp_path / f"s{number}.yaml").write_text(text.format(f"s{number - 1}"))
    assert len(load_study(tmp_path / "s25.yaml").models) == models


def test_fusions_that_double_all_the_way_down(tmp_path):
    ones = "".join(f"  {a}{n + 1}: {{kind: fusion, of: [f{n}, g{n}]}}\n" for n in range(40) for a in "fg")
    base = "  f0: {kind: bm25}\n  g0: {kind: bm25, b: 0.5}\n"
    study = load(
        tmp_path, ("  bm25: {kind: bm25}\n", f"  bm25: {{kind: bm25}}\n{base}{ones}"), ("weighted], on", "f40], on")
    )
    assert len([*study.below("f40", "d", "test")]) == 81


def chain(length: int) -> tuple[str, str]:
    models = (f"  m{n + 1}: {{recipe: mlm, from: m{n}, data: d}}\n" for n in range(length))
    return "rankers:\n", f"  m0: {{recipe: mlm, from: bert, data: d}}\n{''.join(models)}rankers:\n"


def test_a_chain_that_programs_cannot_follow(tmp_path):
    graph = Graph(load_config({"study": "s.yaml"}), load(tmp_path, chain(97)))
    assert graph.awaited("m0") == 97
    with pytest.raises(UserError, match=r"models.m99: is made from 101 others, each made from the next; at most 100$"):
        load(tmp_path, chain(1200))


def test_files_that_are_not_there(tmp_path):
    """Said before anything runs, also of a folder that is missing as a whole."""
    graph = Graph(load_config({"study": "s.yaml"}), load(tmp_path, ("d/test", "own/test")))
    with pytest.raises(UserError, match=r"^s\.yaml: datasets\.own: no file 'c\.csv'$"):
        graph.refuse_missing_files()
    beir = ("{source: pydocs, packages: [json]}", f"{{source: beir, path: {tmp_path}/my-data}}")
    with pytest.raises(UserError, match=r"^s\.yaml: datasets\.d: .*/my-data: no qrels/<split>\.tsv in it"):
        Graph(load_config({"study": "s.yaml"}), load(tmp_path, beir)).refuse_missing_files()


# --- whose results these are --------------------------------------------------------------------


def test_two_studies_of_one_name_do_not_share_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, name="x.yaml")
    ours = Graph.load({"study": "a/x.yaml"})
    ours.claim_results()
    assert Graph.load({"study": str(tmp_path / "a/x.yaml")}).results == ours.results
    with pytest.raises(
        UserError, match=r"^b/x\.yaml: results/x has the results of a/x\.yaml; give this file another na"
    ):
        Graph.load({"study": "b/x.yaml"})
    (tmp_path / "a/x.yaml").rename(tmp_path / "b/x.yaml")  # moved
    assert Graph.load({"study": "b/x.yaml"}).results == ours.results


def test_a_study_whose_folder_cannot_be(tmp_path):
    with pytest.raises(UserError, match=r"results/\{x\}: this folder's name cannot be"):
        load_study(write(tmp_path, name="{x}.yaml"))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([], []),
        ([("[bm25]}", "[bm25], split: test}")], ["first"]),
        ([("[bm25, first]}", "[bm25, first], split: test}")], ["second"]),
    ],
)
def test_a_model_that_is_trained_on_what_it_is_measured_on_is_named(tmp_path, changes, found):
    told = list(dict.fromkeys(note.rpartition("model ")[2] for note in notes(load(tmp_path, *changes))))
    assert told == [f"'{name}' is trained on it" for name in found]


def test_settings_do_not_end_a_script_of_a_page(tmp_path):
    """Snakemake's own reports put them into one."""
    study = load(tmp_path, ("title: Sample", 'title: "</script><!-- {x}"'), ("  t: {", '  t: {title: "</Script>", '))
    graph = Graph(load_config({"study": "s.yaml"}), study)
    for settings in (graph.report_settings(), graph.table_settings("t")):
        assert "</" not in settings and "<!" not in settings
    assert json.loads(graph.table_settings("t"))["title"] == "</Script>"
    assert json.loads(json.loads(graph.report_settings())["study"])["title"] == "</script><!-- {x}"


@pytest.mark.parametrize("path", ["a{b}", "x" * 300, "é" * 100, "a\nb"])
def test_a_path_is_the_name_of_one_file(path):
    name = flat(f"/models/{path}")
    assert len(name.encode()) <= 150 and not {*"{}/\n"} & {*name}
    assert name != flat(f"/models/{path}x")
    assert flat("/models/my bert") == "models--my bert"
    assert flat("a--b") != flat("a/b")
