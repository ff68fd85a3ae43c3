"""Whatever is done to a study, it loads or is refused in one line (`make fuzz` does more of it)."""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.errors import UserError
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from dewpoint.study.load import load_config, load_study, notes, read
from dewpoint.study.rehearsal import rehearsed, stood_for
from dewpoint.study.written import Yaml
from fuzzing import ending, fuzzed, is_one_line
from sample_study import STUDY

ROOT = Path(__file__).parents[2]
TEXTS = [
    STUDY,
    *(path.read_text() for path in sorted(ROOT.glob("studies/*.yaml")) if "include:" not in path.read_text()),
]
STUDIES = [yaml.load(STUDY, Yaml), *map(read, sorted(ROOT.glob("studies/*.yaml")))]
WORDS = [
    *(
        "",
        " ",
        "a",
        "a" * 300,
        "ab" * 40,
        "..",
        "../..",
        "~",
        "/",
        "{a}",
        "{axis}",
        "}{",
        "\n",
        "\t",
        "é",
        "\u200b",
        "١",
        "-",
    ),
    *(
        "scratch",
        "hub:",
        "hub:a/b",
        "hub:../..",
        "path:",
        "path:/",
        "path:.",
        "study/bert",
        "other/m",
        "a/b/c",
        "d/test",
    ),
    *(
        "true",
        "null",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1e3",
        "1_000",
        "0x1F",
        "010",
        "1:30",
        "2020-01-01",
        "2020-99-99",
        "=",
    ),
    *(
        "MRR@10",
        "MRR@0",
        "R@99999999999999999999",
        "latency@1",
        "Hit@1",
        "Rprec",
        "flat",
        "HNSW1,Flat",
        "IVF0",
        "RQ0x4",
    ),
    *("contrast", "random", "bm25", "dense", "fusion", "given", "mlm", "released", "union", "beir", "table", "text"),
]
NUMBERS = [0, 1, -1, 2, 0.5, 1.0, 1e-300, 1e300, float("inf"), float("nan"), 2**31, 2**63, 2**64, 10**40, -(10**40)]
PLAIN = (
    st.none()
    | st.booleans()
    | st.sampled_from(NUMBERS)
    | st.sampled_from(WORDS)
    | st.text("aé\u200b {}:/@-", max_size=8)
)
VALUE = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3), max_leaves=6
)
SNIPPETS = [
    *(
        "&a ",
        "*a",
        "<<: *a",
        "!!int ",
        "!!python/name:os.system ",
        "- ",
        ": ",
        "? ",
        "| ",
        "> ",
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        "#",
    ),
    *(
        "\\ud800",
        '"\\ud800"',
        "\0",
        "\ufeff",
        "\r",
        "\n",
        "\t",
        "---",
        "...",
        "%YAML 1.1",
        "vary: ",
        "include: [study.yaml]",
    ),
    *("9" * 5000, "[" * 200, "{a: " * 40, "&a [*a]", "a: &a {b: *a}", "é", "\U0001f600", "0x1f", "=", "~", "@", "`"),
]


def places(value, path=()):
    """The path of everything that is in a study."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def at(study, path):
    for key in path:
        study = study[key]
    return study


def alike(study, value):
    """Something of the same type: another number, a word from elsewhere, a list in another order or of other parts."""
    match value:
        case bool():
            return st.just(not value)
        case int() | float():
            return st.sampled_from([1, 2, 3, 7, 16, 0.5, 64, 600, value + 1, value * 2, value - 1])
        case str():
            words = [at(study, path) for path in places(study)]
            return st.sampled_from([word for word in words if isinstance(word, str)])
        case list():
            return st.permutations(value) | st.just([*value, *value[:1]]) | st.just(value[:-1])
    return st.just(copy.deepcopy(value))


@st.composite
def edited(draw) -> str:
    """A study with something else in some places: any value, another place's, nothing, or under another name."""
    study = copy.deepcopy(draw(st.sampled_from(STUDIES)))
    for _ in range(draw(st.integers(1, 4))):
        *above, last = draw(st.sampled_from([path for path in places(study) if path]))
        holder = at(study, above)
        match draw(st.integers(0, 9)):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[draw(PLAIN)] = holder.pop(last)
            case 2:
                holder[last] = copy.deepcopy(at(study, draw(st.sampled_from(list(places(study))))))
            case 3 if isinstance(holder[last], dict):
                holder[last][draw(st.sampled_from(["vary", "seed", "weights", "tune", "depth"]))] = draw(VALUE)
            case 4:
                holder[last] = draw(VALUE)
            case _:
                holder[last] = draw(alike(study, holder[last]))
    return yaml.dump(study, allow_unicode=draw(st.booleans()), sort_keys=False)


@st.composite
def scrambled(draw) -> str:
    """A study's text with snippets put in, and parts cut out or doubled."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = draw(st.integers(begin, min(len(text), begin + 40)))
        put = draw(st.sampled_from(SNIPPETS) | st.text(max_size=5) | st.just(text[begin:end] * 2))
        text = text[:begin] + put + text[end:]
    return text


def load(folder: Path, text: str) -> None:
    """Load it, and ask of it all that rules ask; what a rehearsal makes of it as well."""
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    config = Config(study=str(path), data=str(folder / "data"), output=str(folder / "results"))
    study = load_study(path)
    assert all(map(is_one_line, notes(study)))
    for graph in (Graph(config, study), Graph(*rehearsed(config, study), stood_for(study))):
        ask(graph)


def ask(graph: Graph) -> None:
    assert graph.targets
    graph.report_settings()
    for name in graph.study.tables:
        graph.table_settings(name)
    for name in graph.study.analyses:
        graph.analysis_settings(name), graph.analysis_inputs(name)
    for name in graph.needed.datasets:
        graph.dataset_settings(name), graph.dataset_files(name)
    for name in graph.needed.models:
        graph.model_settings(name), graph.model_inputs(name)
        graph.tokenizer_settings(graph.tokenizer_name(name))
    for ranker, dataset, split in graph.scores:
        graph.rank_settings(ranker, split), graph.rank_inputs(ranker, dataset, split)
        graph.evaluate_settings(ranker, dataset, split), graph.evaluate_inputs(ranker, dataset, split)


@pytest.mark.parametrize("texts", [edited(), scrambled()], ids=["values", "letters"])
def test_any_study(tmp_path, texts):
    @fuzzed(150)
    @given(texts)
    def one(text):
        with ending():
            try:
                load(tmp_path, text)
            except UserError as error:
                assert is_one_line(str(error))

    one()


@fuzzed(100)
@given(st.dictionaries(st.sampled_from([*Config.model_fields]) | st.text(max_size=5), VALUE, max_size=3))
def test_any_config(values):
    try:
        load_config(values)
    except UserError as error:
        assert is_one_line(str(error))
