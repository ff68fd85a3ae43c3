"""What a ranker derives from passages before its index: made once for all rankers that want the same, in shards."""

import json
from itertools import pairwise

import pytest

from dewpoint.errors import UserError
from dewpoint.study.costs import Costs
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from dewpoint.study.load import load_study
from sample_study import load, write

T5 = ("models:\n", "models:\n  t5: {recipe: seq2seq, from: hub:org/doc2query-t5-base}\n")
MORE = ("rankers:\n", "rankers:\n  more: {kind: expand, by: t5}\n  other: {kind: expand, by: t5, %s}\n")
SHOWN = ("[bm25, second", "[more, other, bm25, second")


def graph(tmp_path, keys: str, model: str = "", **config) -> Graph:
    t5 = (T5[0], T5[1].replace("base}", f"base{model}}}"))
    return Graph(Config(**config), load_study(write(tmp_path, t5, (MORE[0], MORE[1] % keys), SHOWN)))


@pytest.mark.parametrize("keys", ["k1: 2", "b: 0.1", "title: false", "stemmer: none", "depth: 200", "seed: 42"])
def test_rankers_that_want_the_same_share_it(tmp_path, keys):
    made = graph(tmp_path, keys, seed=42)
    assert made.derived("more", "d") == made.derived("other", "d") == made.index_inputs("other", "d")["derived"]
    assert made.index("more", "d") != made.index("other", "d")


@pytest.mark.parametrize("keys", ["queries: 5", "top_k: 5", "temperature: 0.5", "seed: 7"])
def test_what_shapes_it_tells_it_apart(tmp_path, keys):
    made = graph(tmp_path, keys, seed=42)
    assert not {*made.derived("more", "d")} & {*made.derived("other", "d")}
    one, other = (json.loads(made.derive_settings(made.derived_name(name), 0, 1)) for name in ("more", "other"))
    assert {key for key in one if one[key] != other[key]} == {keys.split(":")[0]}


def test_how_the_model_reads_shapes_it(tmp_path):
    names = [
        graph(tmp_path, "b: 0", model).derived_name("more")
        for model in ("", ", passage_length: 100", ", query_length: 9", ", title: none", ", passage_prefix: 'x:'")
    ]
    assert len({*names}) == 5 and names[0] == graph(tmp_path, "b: 0", ", query_prefix: 'x:'").derived_name("more")


def test_shards_are_a_whole_and_cost_as_much(tmp_path):
    whole, parts = graph(tmp_path, "b: 0"), graph(tmp_path, "b: 0", shards=4)
    assert len(parts.derived("more", "d")) == 4
    costs = [Costs(parts).of(path) for path in parts.derived("more", "d")]
    assert all(one == other for one, other in pairwise(costs)) and costs[0].operations > 0
    [alone] = whole.derived("more", "d")
    assert sum(cost.operations for cost in costs) == pytest.approx(Costs(whole).of(alone).operations)
    settings = json.loads(parts.derive_settings(parts.derived_name("more"), 3, 4))
    assert (settings["shard"], settings["shards"]) == (3, 4)
    assert parts.derive_inputs(parts.derived_name("more"), "d") == {
        "dataset": [parts.dataset("d")],
        "model": [parts.model("t5")],
    }


@pytest.mark.parametrize(
    ("t5", "more", "message"),
    [
        ("", "by: t5", r"rankers.more.by: no model 't5'"),
        ("", "by: bert", r"rankers.more.by: model 'bert' writes no texts; name one of recipe seq2seq"),
        ("from: scratch", "by: t5", r"models.t5.from: a T5 that others have trained is from hub:ORG/NAME or path:DIR"),
        ("from: bert", "by: t5", r"models.t5.from: a T5 that others have trained is from hub:ORG/NAME or path:DIR"),
        ("from: hub:a/b, title: pair", "by: t5", r"models.t5.title: Input should be 'prefix' or 'none', found 'pair'"),
        (
            "from: hub:a/b, passage_length: 80",
            "by: t5}\n  x: {kind: monot5, of: more, by: t5",
            r"rankers.x.by: model 't5' reads 80 tokens, of which a query may have 64; leave 24 at least for",
        ),
        (
            "from: hub:a/b",
            "by: t5, depth: 9}\n  x: {kind: monot5, of: more, by: t5",
            r"rankers.x.depth: 1000, but ranker 'more' keeps 9",
        ),
        (
            "from: hub:a/b",
            "by: t5, depth: 9}\n  x: {kind: duot5, of: more, by: t5, depth: 9",
            r"rankers.x.top: 50, but ranker 'more' k",
        ),
        (
            "from: hub:a/b",
            "by: t5}\n  x: {kind: duot5, of: more, by: bert",
            r"rankers.x.by: model 'bert' writes no texts; name",
        ),
        (
            "from: hub:a/b",
            "by: t5}\n  x: {kind: monot5, of: moer, by: t5",
            r"rankers.x.of: no ranker 'moer'; did you mean 'more'",
        ),
        ("from: hub:a/b", "by: t5, queries: 0", r"rankers.more.queries: Input should be greater"),
        ("from: hub:a/b", "by: t5, temperature: 0", r"rankers.more.temperature: Input should be greater than 0"),
        ("from: hub:a/b", "by: t5, k: 9", r"rankers.more.k: unknown key; did you mean 'k1'"),
    ],
)
def test_mistakes(tmp_path, t5, more, message):
    models = ("models:\n", f"models:\n  t5: {{recipe: seq2seq, {t5}}}\n" if t5 else "models:\n")
    with pytest.raises(UserError, match=message):
        load(tmp_path, models, ("rankers:\n", f"rankers:\n  more: {{kind: expand, {more}}}\n"))
