"""Docstrings as a retrieval set: read without importing, split for good, titled without the answer."""

import ast
import re
import sys
import sysconfig

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.sources.pydocs import docstrings, question_and_answer, split, title
from programs import prepare, write_files

SPLITS = ("train", "dev", "test")
ANSWER = "Here follows what a reader needs who wants to know every detail of how this thing works, number {}."


def documented(kind: str, name: str, question: str, number: int, indent: str = "") -> str:
    lines = [f"{kind} {name}:", f'    """{question}', "", f"    {ANSWER.format(number)}", '    """', ""]
    return "\n".join(indent + line for line in lines) + "\n"


CORE = (
    documented("class", "Frame", "Hold a grid of cells in memory.", 1)
    + documented("def", "merge(self)", "Merge two frames by their keys.", 2, "    ")
    + documented("def", "read_table()", "Fetch a grid from a file.", 3)
    + documented("async def", "open_door()", "Let a visitor come in quickly.", 4)
    + documented("def", "again()", "let a Visitor come in quickly.", 5)  # a question met before
    + documented("def", "another()", "Say a thing that is new here.", 4)  # an answer met before
    + documented("def", "read_table()", "Say another thing that is new here.", 6)  # a name met before
    + documented("def", "short()", "Too short.", 7)
    + 'def terse():\n    """A question of enough words.\n\n    But no answer.\n    """\n'
)
PLANTED = {
    "planted/__init__.py": "import pathlib\npathlib.Path(__file__).with_name('mark').touch()\nraise RuntimeError\n",
    "planted/core.py": CORE,
    "planted/broken.py": "def (:\n",
    "planted/latin.py": "# caf\u00e9\n".encode("latin-1"),
    "planted/native.so": b"\x7fELF\0",
} | {
    f"planted/{folder}/module.py": documented("def", "secret()", "Never to be seen in here.", 9)
    for folder in ("test", "tests", "sub/testing", "__pycache__", "site-packages")
}


@pytest.fixture
def planted(tmp_path, monkeypatch):
    write_files(tmp_path, PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "planted"


def test_a_package_is_read_and_never_imported(planted, tmp_path):
    manifest = prepare(tmp_path, {"source": "pydocs", "packages": ["planted"]})
    assert not (planted / "mark").exists()
    assert "planted" not in sys.modules
    corpus = pq.read_table(manifest.with_name("corpus.parquet")).to_pylist()
    assert [tuple(row.values()) for row in corpus] == [
        ("planted.core.Frame", "planted core Frame", ANSWER.format(1), "planted.core"),
        ("planted.core.Frame.merge", "planted core", ANSWER.format(2), "planted.core"),
        ("planted.core.read_table", "planted core read table", ANSWER.format(3), "planted.core"),
        ("planted.core.open_door", "planted core open door", ANSWER.format(4), "planted.core"),
    ]


def test_each_query_is_judged_by_its_own_passage_in_its_split(planted, tmp_path):
    manifest = prepare(tmp_path, {"source": "pydocs", "packages": ["planted"]})
    for name, ids, passages in [
        ("test", ["planted.core.Frame.merge"], [1]),
        ("dev", ["planted.core.read_table"], [2]),
        ("train", ["planted.core.Frame", "planted.core.open_door"], [0, 3]),
    ]:
        queries, judgements = (
            pq.read_table(manifest.with_name(f"{x}.{name}.parquet")) for x in ("queries", "judgements")
        )
        assert queries["id"].to_pylist() == ids
        assert judgements["query"].to_pylist() == list(range(len(ids)))
        assert judgements["passage"].to_pylist() == passages


@pytest.mark.parametrize(
    ("id", "expected"),  # sha256(id) modulo 10 is 0, 1, 4
    [("planted.core.close_door", "test"), ("planted.core.walk_tree", "dev"), ("json.dumps", "train")],
)
def test_the_split_of_an_id_never_moves(id, expected):
    assert split(id) == expected


def test_the_queries_of_a_module_are_of_one_split(tmp_path, monkeypatch):
    functions = "".join(documented("def", f"do_{n}()", f"Do what number {n} wants done.", n) for n in range(12))
    renamed = {f"many/m{m}.py": functions.replace("number", f"number {m} of") for m in range(20)}
    write_files(tmp_path, {"many/__init__.py": ""} | renamed)
    monkeypatch.syspath_prepend(tmp_path)
    found = {}
    for by in ("docstring", "module"):
        manifest = prepare(tmp_path / by, {"source": "pydocs", "packages": ["many"], "split_by": by})
        queries = {part: pq.read_table(manifest.with_name(f"queries.{part}.parquet"))["id"] for part in SPLITS}
        assert sum(map(len, queries.values())) == 240
        found[by] = {part: {id.rpartition(".")[0] for id in ids.to_pylist()} for part, ids in queries.items()}
    assert found["docstring"]["test"] & found["docstring"]["train"]
    for part, modules in found["module"].items():
        assert modules == {f"many.m{m}" for m in range(20) if split(f"many.m{m}") == part} != set()


def test_a_single_module_is_a_package(tmp_path, monkeypatch):
    write_files(tmp_path, {"lonely.py": documented("def", "do_it()", "Do what has to be done.", 1) + "raise OSError\n"})
    monkeypatch.syspath_prepend(tmp_path)
    assert [(module, name) for module, name, _ in docstrings("lonely")] == [("lonely", "lonely.do_it")]


def test_the_standard_library_without_what_is_installed_or_tests_it(tmp_path, monkeypatch):
    file = documented("def", "do_it()", "Do what has to be done.", 1)
    folders = ("", "json/", "site-packages/numpy/", "dist-packages/", "test/", "json/tests/", "idlelib/")
    write_files(tmp_path, {f"{folder}module.py": file for folder in folders})
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(tmp_path)}.get)
    assert [name for _, name, _ in docstrings("stdlib")] == ["json.module.do_it", "module.do_it"]


@pytest.mark.parametrize("package", ["no_such_thing", "sys", "numpy.linalg", "", ".relative"])
def test_unknown_package(tmp_path, package):
    with pytest.raises(SystemExit) as exit:
        prepare(tmp_path, {"source": "pydocs", "packages": [package]})
    line = f"error: pydocs: package '{package}' is not installed; name an installed package or 'stdlib'"
    assert str(exit.value) == line


def test_no_docstring_at_all(planted, tmp_path):
    (planted / "core.py").write_text("x = 1\n")
    with pytest.raises(
        SystemExit, match=r"^error: pydocs: packages planted: the corpus is empty, no passage was found$"
    ):
        prepare(tmp_path, {"source": "pydocs", "packages": ["planted"]})


WORDS = st.sampled_from(["read", "merge", "http", "frame", "table", "two", "key", "row"])
ENDINGS = ["", "s", "ed", "ing"]
STYLES = {
    "plain": lambda words: ".".join(words),
    "snake": lambda words: "_".join(words).upper(),
    "camel": lambda words: "".join(map(str.title, words)),
}


@given(st.lists(WORDS, min_size=1), st.lists(st.tuples(WORDS, st.sampled_from(ENDINGS))), st.sampled_from([*STYLES]))
def test_the_title_gives_no_word_of_the_query_away(words, asked, style):
    endings = [(word.removesuffix("e") if ending in ("ed", "ing") else word) + ending for word, ending in asked]
    question = " ".join(endings).capitalize()
    kept = title(STYLES[style](words), question).lower().split()
    assert kept == [word for word in words if word not in {word for word, _ in asked}]


def test_questions_and_answers_are_one_line_each():
    docstring = "What is this\nall about then?\n\nIt is\n  an answer " + "of words " * 15
    assert question_and_answer(docstring) is None
    question, answer = question_and_answer(docstring.replace("\nall", " all"))
    assert question == "What is this all about then?"
    assert re.fullmatch(r"(\S+ )*\S+", answer)


def test_the_planted_module_is_python():
    assert len(ast.parse(CORE).body) == 8
