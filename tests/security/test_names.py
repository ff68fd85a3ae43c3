"""Names stay names: none leaves the folder of results, opens a shell, or is a pattern of Snakemake's."""

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dewpoint.errors import UserError
from dewpoint.report.chart import lines as chart
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from dewpoint.study.load import expand, load_study
from dewpoint.study.types import Label, Name, Place
from sample_study import STUDY, write

ROOT = Path(__file__).parents[2]
HOSTILE = ["..", ".", "../x", "/etc/x", "a/../../b", "a b", "$(touch x)", "`touch x`", "a;b", "a|b", "a&b", "a>b"]
HOSTILE += [
    "{x}",
    "{{x}}",
    "a\nb",
    "a\n",
    "\na",
    "a'b",
    'a"b',
    "a\\b",
    "~",
    "*",
    "a\0b",
    "é",
    "a\u202eb",
    "",
    " ",
    "-r f",
]
SECTIONS = {"datasets": "d", "models": "bert", "rankers": "hybrid", "tables": "t"}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("of", [Name, Label, Place])
def test_what_is_no_name_is_none(name, of):
    for written in (name, f"{name}/x", f"x/{name}") if of is Place else (name,):
        with pytest.raises(ValidationError):
            TypeAdapter(of).validate_python(written)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("section", SECTIONS)
def test_a_study_with_such_a_name_is_refused(tmp_path, section, name):
    study = yaml.safe_load(STUDY)
    study[section][name] = study[section][SECTIONS[section]]
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study, allow_unicode=False), encoding="utf-8")
    with pytest.raises(UserError) as refused:
        load_study(path)
    assert section in str(refused.value) or "cannot be in a text" in str(refused.value)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
@pytest.mark.parametrize("part", ["queries", "judgements"])
def test_a_split_with_such_a_name_is_refused(tmp_path, part, name):
    study = yaml.safe_load(STUDY)
    study["datasets"]["own"][part][name] = {"file": "x.csv"}
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study, allow_unicode=False), encoding="utf-8")
    with pytest.raises(UserError, match=rf"{part}|cannot be in a text"):
        load_study(path)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=3, unique=True))
def test_what_vary_makes_of_values_is_a_name_or_refused(values):
    try:
        named = expand({"x-{v}": {"vary": {"v": values}, "note": "{v}"}}, "models")
    except UserError:  # two of one name
        return
    assert all(re.fullmatch("x-[A-Za-z0-9._-]*", name) for name in named)


@given(st.from_regex(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII), fullmatch=True))
def test_a_name_stays_in_its_folder_and_is_one_word(name):
    assert TypeAdapter(Label).validate_python(name) == name
    assert (
        Path("results/study/models", name, "manifest.json").resolve().parent.parent
        == Path.cwd() / "results/study/models"
    )
    assert shlex.split(f"program --output {name}") == ["program", "--output", name] and not name.startswith("-")
    assert name.format() == name


SOURCES = ["hub:org/a b", "hub:org/$(touch x)", "hub:org/x@refs/pr/1", "path:{tmp}/a b;c", "path:{tmp}/$(x)`y`'\"{{z}}"]


@pytest.mark.parametrize("source", SOURCES)
def test_where_a_model_comes_from_is_one_file_name(tmp_path, source):
    """Of its tokenizer and its stand-in, which are called after it."""
    source = source.format(tmp=tmp_path)
    if source.startswith("path:"):
        Path(source[5:]).mkdir()
    line = f"  other: {{recipe: retriever, from: {source!r}, data: d}}\nrankers:\n"
    if "'" in source:
        line = line.replace(repr(source), "'" + source.replace("'", "''") + "'")
    try:
        study = load_study(write(tmp_path, ("rankers:\n", line)))
    except UserError as refused:  # no such name
        assert "models.other.from" in str(refused)
        return
    graph = Graph(Config(), study)
    name = graph.tokenizer_name("other")
    assert "/" not in name and name not in (".", "..")
    assert Path(graph.tokenizer("other")).parent.parent == Path("data/tokenizers")


def test_every_word_of_a_command_is_quoted():
    """Whatever Snakemake puts into a shell's command is quoted, or is of our own making: a number, a hash, a module."""
    own = {"params.code", "params.work", "params.inputs", "threads", "resources.gpu", "resources.nodes"}
    found = 0
    for path in sorted((ROOT / "rules").glob("*.smk")):
        text = path.read_text(encoding="utf-8")
        commands = re.findall(r'^\s*(?:shell:\s*)?f?"[^\n]*?(?:python |--)[^\n]*"$', text, re.MULTILINE)
        for command in commands:
            literal = 'f"' in command
            for placed in re.findall(r"\{\{(.*?)\}\}" if literal else r"\{(.*?)\}", command):
                found += 1
                assert placed.endswith(":q") or placed in own, (path.name, command)
            for ours in re.findall(r"(?<!\{)\{([^{}]+)\}(?!\})", command) if literal else ():
                known = ours in ("SCRIPTS", "STUDY", "LOGGED") or ours.startswith(("quoted(", "graph.config.c"))
                assert known, (path.name, ours)
    assert found > 30


def test_names_in_a_chart_are_text():
    hostile = {f"<script>alert({number})</script>\"'&": [(1, 1), (2, 3)] for number in range(2)}
    drawn = chart(hostile, x="<b>", y="a & b")
    assert "<script" not in drawn and "<b>" not in drawn and drawn.count("&lt;script&gt;") == 2
    texts = [part.text for part in ElementTree.fromstring(drawn).iter() if part.tag.endswith("text")]
    assert {*hostile, "<b>", "a & b"} <= {*texts}
