"""What a definition leads to, rule by rule, on modules of a few lines."""

from pathlib import Path

import pytest

from dewpoint.errors import UserError
from dewpoint.study.fingerprint import fingerprint, reached
from dewpoint.study.modules import Modules


def write(folder: Path, files: dict[str, str]) -> Modules:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Modules(folder)


def found(folder: Path, files: dict[str, str], root: str = "a:f") -> set[str]:
    """As "module.definition"; a module's statements as "module.<module>"."""
    return {f"{module}.{name}" for module, name in reached(root, modules=write(folder, files))}


X = "def used(): return 1\ndef unused(): return 2\nC = 3\n"

CASES = {
    "a function of its module": ({"a.py": "def f(): return g()\ndef g(): pass\ndef h(): pass"}, "a.f a.g"),
    "a name from a module": ({"a.py": "from x import used\ndef f(): return used()", "x.py": X}, "a.f x.used"),
    "a name by another name": ({"a.py": "from x import used as u\ndef f(): return u()", "x.py": X}, "a.f x.used"),
    "a module's attribute": ({"a.py": "import x\ndef f(): return x.used()", "x.py": X}, "a.f x.used"),
    "a module by another name": ({"a.py": "import p.x as y\ndef f(): return y.used()", "p/x.py": X}, "a.f p.x.used"),
    "a module by all its names": ({"a.py": "import p.x\ndef f(): return p.x.used()", "p/x.py": X}, "a.f p.x.used"),
    "a module from a package": ({"a.py": "from p import x\ndef f(): return x.used()", "p/x.py": X}, "a.f p.x.used"),
    "an import beside": (
        {"p/a.py": "from .x import used\nfrom . import y\ndef f(): return used(), y.C", "p/x.py": X, "p/y.py": X},
        "p.a.f p.x.used p.y.C",
    ),
    "what is passed on": (
        {"a.py": "from p import g\ndef f(): return g()", "p/__init__.py": "from p.x import used as g", "p/x.py": X},
        "a.f p.x.used",
    ),
    "what is passed on by a module": (
        {"a.py": "import y\ndef f(): return y.x.used()", "y.py": "import x", "x.py": X},
        "a.f x.used",
    ),
    "a module as a value": ({"a.py": "import x\ndef f(): return vars(x)", "x.py": X}, "a.f x.used x.unused x.C"),
    "a module in a constant": (
        {"a.py": "import x\nALL = {'x': x}\ndef f(n): return ALL[n]", "x.py": X},
        "a.f a.ALL x.used x.unused x.C",
    ),
    "a package as a value": (
        {"a.py": "import p\ndef f(): return p", "p/__init__.py": "from y import C", "p/x.py": X, "y.py": X},
        "a.f p.x.used p.x.unused p.x.C y.C",
    ),
    "an attribute that no definition makes": (
        {"a.py": "import x\ndef f(): return x.__dict__", "x.py": X},
        "a.f x.used x.unused x.C",
    ),
    "an import inside a function": ({"a.py": "def f():\n from x import used\n return used()", "x.py": X}, "a.f x.used"),
    "an import that may fail inside a function": (
        {"a.py": "def f():\n try: import x\n except ImportError: x = None\n return x.used()", "x.py": X},
        "a.f x.used",
    ),
    "an import inside a function that is not reached": (
        {"a.py": "def f(): 0\ndef g(): import x", "x.py": "run()"},
        "a.f",
    ),
    "an import that may fail": (
        {"a.py": "try: import x\nexcept ImportError: x = None\ndef f(): return x.used()", "x.py": X},
        "a.f a.<module> x.used",
    ),
    "a decorator": ({"a.py": "from x import used\n@used\ndef f(): 0", "x.py": X}, "a.f x.used"),
    "a default": ({"a.py": "from x import C\ndef f(n=C, *, m=2): 0", "x.py": X}, "a.f x.C"),
    "an annotation": ({"a.py": "from x import C\ndef f(n: C) -> C:\n m: C = n\n return m", "x.py": X}, "a.f"),
    "a field of a class": ({"a.py": "from x import C\nclass f:\n n: C", "x.py": X}, "a.f x.C"),
    "a class's attribute": ({"a.py": "from x import used\nclass f:\n n = used()", "x.py": X}, "a.f x.used"),
    "a class's method": ({"a.py": "from x import used\nclass f:\n def m(self): used()", "x.py": X}, "a.f x.used"),
    "what a class comes from": (
        {"a.py": "from x import used\nclass f(used, n=C): 0\nC = 1", "x.py": X},
        "a.f a.C x.used",
    ),
    "a constant of a constant": ({"a.py": "import x\ndef f(): return D\nD = x.C + 1\nE = 2", "x.py": X}, "a.f a.D x.C"),
    "constants of one statement": (
        {"a.py": "A, (B, *C) = 1, (2, 3)\nD: int = A\ndef f(): return B, D"},
        "a.f a.A a.B a.D",
    ),
    "a constant that is counted up in a function": ({"a.py": "N = 0\ndef f():\n global N\n N += 1"}, "a.f a.N"),
    "a constant that is written over": ({"a.py": "N = 0\ndef f():\n global N\n N = 1"}, "a.f"),
    "a statement that is no definition": (
        {"a.py": "import os, x\nos.environ[x.C] = '1'\ndef f(): 0", "x.py": X},
        "a.f a.<module> x.C",
    ),
    "a change of a constant": ({"a.py": "N = 1\nN += g()\ndef g(): 0\ndef f(): 0"}, "a.f a.<module> a.N a.g"),
    "a name that a statement makes": ({"a.py": "for n in range(3): pass\ndef f(): return n"}, "a.f a.<module>"),
    "statements of what is imported, however far": (
        {"a.py": "import x\ndef f(): 0", "x.py": "from p import y\nD = 1", "p/__init__.py": "go()", "p/y.py": "run()"},
        "a.f p.<module> p.y.<module>",
    ),
    "what a checker of types sees alone": (
        {
            "a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING: import x\nelse: go()\ndef f(): 0",
            "x.py": "run()",
        },
        "a.f a.<module>",
    ),
    "a main guard": ({"a.py": "import x\ndef f(): 0\nif __name__ == '__main__': x.used()", "x.py": X}, "a.f"),
    "a local variable": ({"a.py": "import x\ndef f(x): return x, lambda: x", "x.py": X}, "a.f"),
    "a variable of a comprehension": (
        {"a.py": "import x\ndef f(): return [x for x in x.C], x.C", "x.py": X},
        "a.f x.C",
    ),
    "a name of a class body in a method": ({"a.py": "class f:\n g = 1\n def m(self): g()\ndef g(): 0"}, "a.f a.g"),
    "a pattern": (
        {"a.py": "import x\ndef f(n):\n match n:\n  case x.C: 0\n  case [*C]: C\nC = 1", "x.py": X},
        "a.f x.C",
    ),
    "what is not of here": ({"a.py": "import os\nfrom json import loads\ndef f(): return os.sep, loads"}, "a.f"),
    "a declaration": (
        {
            "a.py": "import x\nfrom x import Own, make\ndef f(): return Own(), x.Far(), make, x.Plain",
            "x.py": "import pydantic as p, y\nclass Own(p.BaseModel): 0\nclass Far(y.Base[int]): 0\n"
            "def make(): return Far()\nclass Plain: 0",
            "y.py": "from pydantic import RootModel\nclass Base(RootModel): n = go()\ndef go(): 0",
        },
        "a.f x.make x.Plain",
    ),
    "what cannot change a result": (
        {
            "a.py": "from dewpoint.errors import E\ndef f(): raise E",
            "dewpoint/errors.py": "import x\nE = x.C",
            "x.py": X,
        },
        "a.f",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_definition_leads_to(tmp_path, case):
    files, expected = CASES[case]
    root = "p.a:f" if "p/a.py" in files else "a:f"
    assert found(tmp_path, files, root) == set(expected.split())


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import x\ndef main(): x.used()\nif __name__ == '__main__': x.C", "a.main x.used"),
        ("from x import used as main", "x.used"),
        ("import x\nif __name__ == '__main__': x.used()", "a.<main> x.used"),
    ],
)
def test_a_module_is_its_main_or_what_it_guards(tmp_path, program, expected):
    assert found(tmp_path, {"a.py": program, "x.py": X}, "a") == set(expected.split())


@pytest.mark.parametrize(
    ("root", "program", "error"),
    [
        ("a:g", "def f(): 0", "a:g: no 'g' in a"),
        ("a", "def f(): 0", "a: no 'main' in a"),
        ("b:f", "def f(): 0", "b:f: no module 'b' in "),
        ("a:f", "from x import *", "a: 'from x import *' hides what is used; name it"),
    ],
)
def test_a_root_that_cannot_be_followed_is_told(tmp_path, root, program, error):
    with pytest.raises(UserError) as raised:
        found(tmp_path, {"a.py": program}, root)
    assert str(raised.value).startswith(error)


BEFORE = {
    "a.py": "from x import g, h\ndef f(): return g() - h()",
    "x.py": "def g(): return 1\ndef h(): return 2\nN = 1",
}


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("a.py", "from x import N, h, g\ndef f(): return g() - h()", False),
        ("a.py", "from x import g as h, h as g\ndef f(): return g() - h()", True),
        ("a.py", "from y import g, h\ndef f(): return g() - h()", True),
        ("x.py", "N = 2\ndef h(): return 2\ndef g():\n '''One.'''\n return 1  # one", False),
        ("x.py", "from math import e\ndef g(): return 1\ndef h(): return 2", False),
        ("x.py", "run()\ndef g(): return 1\ndef h(): return 2", True),
        ("x.py", "def h(): return 1\ndef g(): return 2", True),
        ("a.svg.j2", "<svg>", True),
        ("b.svg.j2", "<svg>", False),
    ],
)
def test_a_fingerprint_is_what_runs(tmp_path, file, text, changes):
    before = fingerprint("a:f", modules=write(tmp_path / "before", BEFORE))
    assert (fingerprint("a:f", modules=write(tmp_path / "after", BEFORE | {file: text})) != before) == changes


def test_a_name_from_elsewhere_by_the_same_name_is_another(tmp_path):
    mean, median = (
        write(tmp_path / name, {"a.py": f"from statistics import {name} as m\ndef f(): return m([1])"})
        for name in ("mean", "median")
    )
    assert fingerprint("a:f", modules=mean) != fingerprint("a:f", modules=median)


def test_roots_together_are_their_union(tmp_path):
    modules = write(tmp_path, BEFORE)
    both = reached("x:g", "x:h", modules=modules)
    assert both == reached("x:g", modules=modules) | reached("x:h", modules=modules)
    assert fingerprint("x:g", "x:h", modules=modules) == fingerprint("x:h", "x:g", modules=modules)


def test_what_a_decorator_of_ours_enters_counts_wherever_it_may_be_found(tmp_path):
    """It is found without its name; what a decorator from outside marks is not."""
    text = """
from functools import cache

KNOWN = {}

def enter(name):
    return lambda function: KNOWN.setdefault(name, function)

@enter("a")
def first():
    return helper()

@cache
def second():
    return 2

def helper():
    return 1

def main():
    return KNOWN["a"]()
"""
    (tmp_path / "registry.py").write_text(text)
    names = {name for _, name in reached("registry:main", modules=Modules(tmp_path))}
    assert {"main", "KNOWN", "first", "helper", "enter"} <= names and "second" not in names
