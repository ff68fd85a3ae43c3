"""Every kind, whatever it is: what the study, the report, the plan and the rehearsal rely on."""

import inspect
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Literal, get_args, get_origin

import pytest

from dewpoint.sources.pydocs import Pydocs
from dewpoint.study.bases import Source
from dewpoint.study.grammar import SECTIONS, schema
from dewpoint.study.kind import TAGS, Kind, Strict, kinds
from dewpoint.study.sizes import Cost, Sizes
from programs import SCRIPTS
from reading import read_by

ALL = [(folder, name) for folder in TAGS for name in kinds(folder)]
each_kind = pytest.mark.parametrize(("folder", "name"), ALL, ids=[f"{folder}-{name}" for folder, name in ALL])

# what fields that must be written are set to, by key; and what else a kind is given, as large as a user may have it
REQUIRED = {"from": "hub:some/model", "data": "d", "model": "m", "path": "folder", "on": "d/test", "list": "hard"}
REQUIRED |= {"by": "m"}
REQUIRED |= {"rankers": ["m", "w"], "of": ["m", "w"], "models": ["m", "v", "w"]}
REQUIRED |= {"files": ["a.txt"], "corpus": ["c.jsonl"], "queries": {"dev": "q"}, "pairs": {"dev": {"files": ["p.csv"]}}}
REQUIRED |= {"triplets": {"dev": {"files": ["t.tsv"]}}}
REQUIRED |= {"submissions": ["RS.zst"], "comments": ["RC.zst"]}
LARGE = {
    ("sources", "msmarco-passage"): {"triples": 30},
    ("sources", "questions"): {"queries": "d"},
    ("sources", "table"): {
        "corpus": {"file": "c.csv"},
        "queries": {"test": {"file": "q.csv"}},
        "judgements": {"test": {"file": "j.csv"}},
    },
    ("recipes", "mlm"): {"from": "scratch", "architecture": {"heads": 12, "intermediate": 3072}},
    ("recipes", "retriever"): {"negatives": ["w"], "train_queries": 500_000, "projection": {"size": 768}},
    ("recipes", "crossencoder"): {"negatives": ["w"], "train_queries": 500_000},
    ("recipes", "colbert"): {"negatives": ["w"], "train_queries": 500_000, "projection": {"size": 128}},
    ("recipes", "monot5"): {"negatives": ["w"], "train_queries": 500_000, "negatives_per_query": 7},
    ("recipes", "pairs"): {"negatives": ["w"], "train_pairs": 65_000_000, "projection": {"size": 768}},
    ("recipes", "regression"): {"train_examples": 5000},
    ("recipes", "triplet"): {"train_examples": 1_000_000, "epochs": 4},
    ("losses", "weighted"): {"of": "contrast", "weight": 0.5},
    ("rankers", "dense"): {"index": {"name": "ivf-pq", "nlist": 4096, "bytes": 96, "sample": 100_000}},
    ("rankers", "late-interaction"): {"index": {"name": "ivf-pq", "nlist": 4096, "bytes": 96, "sample": 100_000}},
    ("rankers", "file"): {"on": "d", "runs": {"test": "run.trec"}},
    ("rankers", "pair-scores"): {"on": "d", "scores": {"test": "scores.tsv"}},
    ("rankers", "fusion"): {"tune": {"steps": 50}},
    ("rankers", "rerank"): {"of": "w", "by": "m", "top": 500},
    ("rankers", "monot5"): {"of": "w"},
    ("rankers", "duot5"): {"of": "w"},
    ("analyses", "claims"): {"metric": "MRR@10", "claims": [{"says": "So.", "better": ["w"], "than": ["v"]}]},
    ("analyses", "overlap"): {"among": "d", "ranker": "w"},
    ("analyses", "series"): {"rankers": "{a}-{s}", "axes": {"a": [10, "all"], "s": [1, 2]}, "x": "a"},
    ("analyses", "neighbours"): {"first": ["m"], "second": ["w"]},
}
TINY = {  # as small as a user may have it: nothing of it grows
    ("sources", "msmarco-passage"): {"triples": 1},
    ("sources", "msmarco-document"): {"words": 2, "stride": 1},
    ("recipes", "mlm"): {"from": "scratch", "architecture": {"layers": 1, "hidden": 6, "heads": 3, "vocabulary": 90}},
    ("recipes", "retriever"): {"train_queries": 1, "negatives": ["w"], "negatives_per_query": 1, "epochs": 1},
    ("recipes", "crossencoder"): {"train_queries": 1, "negatives": ["w"], "negatives_per_query": 1, "epochs": 1},
    ("recipes", "colbert"): {"train_queries": 1, "negatives": ["w"], "negatives_per_query": 1, "epochs": 1},
    ("rankers", "late-interaction"): {"index": {"name": "ivf-pq", "nlist": 2, "bytes": 4, "sample": 9}},
    ("recipes", "pairs"): {"train_pairs": 1, "negatives": ["w"], "negatives_per_query": 1},
    ("recipes", "regression"): {"train_examples": 1, "epochs": 1},
    ("recipes", "triplet"): {"train_examples": 1},
    ("recipes", "monot5"): {"train_queries": 1, "negatives": ["w"], "negatives_per_query": 1, "epochs": 1},
    ("rankers", "dense"): {"index": {"name": "ivf-pq", "nlist": 2, "bytes": 4, "sample": 9}},
    ("rankers", "fusion"): {"tune": {"steps": 1}},
    ("rankers", "rerank"): {"of": "w", "by": ["m", "w"], "top": 1},
}
SMALLEST = {"steps": 1, "batch_size": 1, "length": 8, "query_length": 3, "passage_length": 5, "measurements": 0}


def made(folder: str, name: str, **given: Any) -> Kind:
    """A kind's entry, what it must have filled in."""
    kind = kinds(folder)[name]
    values = {TAGS[folder]: name} | given
    for field, known in kind.model_fields.items():
        if known.is_required() and (key := known.alias or field) not in values:
            assert key in REQUIRED, f"{folder} {name} needs '{key}'; say in REQUIRED or LARGE what it may be"
            values[key] = REQUIRED[key]
    return kind.model_validate(values)


def large(folder: str, name: str) -> Kind:
    return made(folder, name, **LARGE.get((folder, name), {}))


def tiny(folder: str, name: str) -> Kind:
    fields = kinds(folder)[name].model_fields
    least = {key: value for key, value in SMALLEST.items() if key in fields and folder == "recipes"}
    return made(folder, name, **LARGE.get((folder, name), {}) | least | TINY.get((folder, name), {}))


# --- declared without what is heavy -------------------------------------------------------------

HEAVY = ["torch", "transformers", "numpy", "pandas", "pyarrow", "faiss"]
IMPORTED = """
import sys
from pathlib import Path
from importlib import import_module
from dewpoint.study.kind import TAGS, PACKAGE
for folder in TAGS:
    for path in sorted((PACKAGE / folder).glob("*.py")):
        import_module(f"dewpoint.{folder}.{path.stem}")
        if found := sys.modules.keys() & set(sys.argv[1:]):
            sys.exit(f"{path} loads {', '.join(sorted(found))}")
print(len(sys.modules))
"""


def test_declarations_load_nothing_that_is_heavy():
    """A study is read, and rules are written, in a moment."""
    command = [sys.executable, "-c", IMPORTED, *HEAVY]
    told = subprocess.run(command, capture_output=True, text=True, cwd=SCRIPTS)
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) > 0


# --- described ----------------------------------------------------------------------------------


def written_in(kind: type[Strict], known: set[type]) -> Iterator[type[Strict]]:
    """The class and the classes of what is written in it."""
    if kind not in known:
        known.add(kind)
        yield kind
        todo = [field.annotation for field in kind.model_fields.values()]
        while todo:
            one = todo.pop()
            todo += get_args(one)
            if isinstance(one, type) and issubclass(one, Strict):
                yield from written_in(one, known)


def is_tag(annotation: Any) -> bool:
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


@each_kind
def test_everything_is_described(folder, name):
    kind = kinds(folder)[name]
    module = import_module(kind.module())
    assert module.__doc__ and module.__doc__.startswith(f"`{name}`: "), "the module says first what a study calls it"
    for one in written_in(kind, set()):
        fields = {field: known for field, known in one.model_fields.items() if not is_tag(known.annotation)}
        lacking = [field for field, known in fields.items() if not known.description]
        assert not lacking, f"{one.__name__}: {lacking}"
    assert vars(kind).get("__doc__")


# --- rehearsed ----------------------------------------------------------------------------------


def numbers(entry: Any, place: str = "") -> dict[str, float]:
    """All numbers of an entry, by where they are."""
    if isinstance(entry, dict):
        found = [numbers(value, f"{place}.{key}") for key, value in entry.items()]
        return {key: value for one in found for key, value in one.items()}
    return {place: entry} if isinstance(entry, int | float) and not isinstance(entry, bool) else {}


@each_kind
@pytest.mark.parametrize("size", [large, tiny])
def test_the_small_self_is_not_larger(folder, name, size):
    entry = size(folder, name)
    before, after = (numbers(one.model_dump()) for one in (entry, entry.rehearsed()))
    assert not {key: (before[key], after[key]) for key in before.keys() & after.keys() if after[key] > before[key]}


# a source without numbers is as large as its files, which are tiny in a rehearsal
SIZED = [(folder, name) for folder, name in ALL if folder == "recipes"]
SIZED += [("sources", name) for name, kind in kinds("sources").items() if kind.small is not Kind.small]
SIZED = [of for of in SIZED if numbers(large(*of).model_dump())]


@pytest.mark.parametrize(("folder", "name"), SIZED)
def test_the_small_self_is_smaller(folder, name):
    entry = large(folder, name)
    before, after = (numbers(one.model_dump()) for one in (entry, entry.rehearsed()))
    assert any(after[key] < before[key] for key in before.keys() & after.keys())


@each_kind
def test_the_small_self_is_a_valid_entry(folder, name):
    small = large(folder, name).rehearsed()
    assert type(small).model_validate(small.model_dump(by_alias=True)) == small


# --- reckoned -----------------------------------------------------------------------------------


class Both(Pydocs):
    """It has examples, too."""

    @property
    def examples(self):
        return dict.fromkeys(("train", "test"), "triplets")


PLACE = SimpleNamespace(
    study=SimpleNamespace(
        datasets=defaultdict(lambda: Both(source="pydocs")),
        models=defaultdict(lambda: made("recipes", "retriever")),
        rankers={},
    )
)


class Known(Sizes):
    """Every dataset has so many passages, every split 100 queries and examples, every model 12 layers of 768."""

    count = 1000

    def rows(self, dataset):
        of_splits = dict.fromkeys(("train", "dev", "test"), 100)
        return {"passages": self.count, "queries": of_splits, "examples": of_splits}

    def shape(self, model):
        return 12, 768


class Twice(Known):
    count = 2000


def total(cost: Cost) -> float:
    assert min(cost.operations, cost.core_hours, cost.bytes) >= 0
    return cost.operations / 1e15 + cost.core_hours + cost.bytes / 1e12


@pytest.mark.parametrize("name", kinds("sources"))
def test_a_source_costs_more_the_larger_it_is(name):
    source = large("sources", name)
    assert 0 < total(source.cost(1000)) < total(source.cost(2000))


@pytest.mark.parametrize("name", kinds("recipes"))
def test_a_recipe_costs_something(name):
    assert large("recipes", name).operations(Known(PLACE), "m") > 0


OF_RANKERS = ("derive", "index", "rank")
STAGES = [(name, stage) for name, kind in kinds("rankers").items() for stage in OF_RANKERS if kind.has(stage)]


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_rankers_stage_costs_more_on_more(name, stage):
    ranker = large("rankers", name)
    assert ranker.function(stage)
    where = ("d", "test") if stage == "rank" else ("d",)
    few, many = (total(getattr(ranker, f"{stage}_cost")(sizes(PLACE), *where)) for sizes in (Known, Twice))
    assert 0 < few <= many


@pytest.mark.parametrize("name", kinds("analyses"))
def test_an_analysis_costs_something(name):
    assert total(large("analyses", name).cost(Known(PLACE))) > 0


# --- read ---------------------------------------------------------------------------------------

# what works are handed and do not read: the tag, which has chosen the work
UNREAD = set(TAGS.values())


# the functions of a ranker's stages, and what an entry says that comes to those which are not for every one
OF_STAGE = {"index": "index", "pack": "index", "rank": "rank", "probe": "rank", "scan": "rank", "refine": "rank"}
SAYS = {
    "rank": {},
    "pack": {"index": {"name": "ivf"}, "size": 64, "rescore": 2000},
    "scan": {"index": "bits", "rescore": 2000},
    "refine": {"index": {"name": "ivf"}, "rescore": 2000},
}
WORKS = [
    (folder, name, function)
    for folder in TAGS
    for name, kind in kinds(folder).items()
    for function in ("work", "derive", *OF_STAGE, "latency")
    if kind.has(function) and folder != "sources"
]


def handed(entry: Kind, folder: str, function: str) -> dict[str, Any]:
    """The settings that a stage of a kind is handed, as the graph has them."""
    config = SimpleNamespace(seed=1, precision="auto", threads=2)
    models = defaultdict(lambda: made("recipes", "retriever"))
    graph = SimpleNamespace(config=config, study=SimpleNamespace(models=models))
    if folder in ("recipes", "analyses"):
        return entry.work_settings(config)
    if function in ("derive", *OF_STAGE, "latency"):
        stage = OF_STAGE.get(function, function)
        by = {"derive": (graph,), "index": (config,)}.get(stage, (graph, "test"))
        return getattr(entry, f"{stage}_settings")(*by)
    return entry.settings("work")


@pytest.mark.parametrize(("folder", "name", "function"), WORKS)
def test_what_a_work_is_handed_it_reads(folder, name, function):
    """Whatever changes it is made anew for, which is in vain for what it does not read."""
    entry = large(folder, name)
    if function in SAYS and entry.function(OF_STAGE[function]) != function:
        entry = made(folder, name, **SAYS[function])
    assert function not in OF_STAGE or entry.function(OF_STAGE[function]) == function
    given = json.loads(json.dumps(handed(entry, folder, function)))
    roots = [f"{entry.module()}:{function}", *entry.roots("work" if entry.has("work") else function)[1:]]
    assert not given.keys() - UNREAD - read_by(*roots)


@pytest.mark.parametrize("name", kinds("sources"))
def test_a_source_is_written_from_all_that_it_declares(name):
    """The program that calls it sees to the grade from which a passage is relevant."""
    kind = kinds("sources")[name]
    module = import_module(kind.module())
    declared = kind.model_fields.keys() - {"source"} - Source.model_fields.keys()
    own = {"files"} if kind.fetched() or kind.joins() else set()
    writer, *taken = inspect.signature(module.write).parameters
    assert writer == "writer" and set(taken) == declared | own
    if kind.has("rehearse"):
        _, _, *taken = inspect.signature(module.rehearse).parameters.values()
        catches_all = any(one.kind is one.VAR_KEYWORD for one in taken)
        given = large("sources", name).tiny(["dev"]).keys()
        assert catches_all or {one.name for one in taken} == given


# --- found --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def definitions() -> dict:
    return schema()["$defs"]


@each_kind
def test_a_study_may_name_it(folder, name, definitions):
    """By its tag, and no other kind's class has the name of its own, by which the schema knows them."""
    kind = kinds(folder)[name]
    assert kind.tag() == name and kind.folder() == folder
    described = definitions[kind.__name__]["properties"]
    assert described[TAGS[folder]]["const"] == name
    assert ("vary" in described) == (folder in SECTIONS.values())
    assert described.keys() >= {field.alias or key for key, field in kind.model_fields.items()}
