"""The trace of a program's calls misses none, in threads and other processes neither."""

import os
import subprocess
import sys

import pytest

from dewpoint.study.fingerprint import reached
from dewpoint.study.modules import Modules
from traced import calls, environment, unhashed

PROGRAM = """\
import os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from x import Class, Far, Shown, hidden, numbers, unused

def main():
    WAYS[sys.argv[1]]()

def called(): pass
def thread(): list(ThreadPoolExecutor(1).map(lambda n: globals()["called"](), [1]))
def begun(): thread = threading.Thread(target=globals()["called"]); thread.start(); thread.join()
def forked():
    if not os.fork(): globals()["called"](); os._exit(0)
    os.wait()
def replaced(): os.execv(sys.executable, [sys.executable, __file__, "named"])
def named(): globals()["called"]()
def generated(): list(globals()["numbers"]())
def made(): globals()["Class"](1).method()
def inherited(): globals()["Far"]()
def backwards(): sorted([1, 2], key=globals()["hidden"])
def told(): Shown(n=1)

@cache
def kept(): pass
def cached(): globals()["kept"]()
WAYS = dict(thread=thread, begun=begun, forked=forked, replaced=replaced, named=named, generated=generated, made=made,
            inherited=inherited, backwards=backwards, told=told, cached=cached)

if __name__ == "__main__":
    main()
"""
LIBRARY = """\
import pydantic

def numbers(): yield from range(3)
def hidden(n): return -n
def at_import(n): return n
def wrapped(function): return function
unused = at_import([at_import(n) for n in range(3)])
@wrapped
def never(): pass

class Class:
    n = at_import(1)
    def __init__(self, n): self.n = n
    def method(self): return [self.n for _ in range(2)]

class Far(Class):
    def __init__(self): super().__init__(1)

class Shown(pydantic.BaseModel):
    n: int
    @pydantic.field_validator("n")
    @classmethod
    def positive(cls, n): return checked(n)

def checked(n): return n
"""


@pytest.mark.parametrize(
    ("way", "missing"),
    [
        ("thread", "a.called"),
        ("begun", "a.called"),
        ("forked", "a.called"),
        ("replaced", "a.called"),
        ("named", "a.called"),
        ("generated", "x.numbers"),
        ("made", "x.Class"),
        ("inherited", "x.Far x.Class"),
        ("backwards", "x.hidden"),
        ("told", ""),
        ("cached", "a.kept"),
    ],
)
def test_a_call_that_no_name_leads_to_is_found(tmp_path, way, missing):
    scripts, folder = tmp_path / "scripts", tmp_path / "calls"
    scripts.mkdir()
    (scripts / "a.py").write_text(PROGRAM)
    (scripts / "x.py").write_text(LIBRARY)
    env = os.environ | environment(folder)
    subprocess.run([sys.executable, "scripts/a.py", way], cwd=tmp_path, env=env, check=True)
    modules = Modules(scripts)
    made = set().union(*calls(folder, modules).values())
    assert {f"{module}.{name}" for module, name in unhashed(made, reached("a", modules=modules), modules)} == {
        *missing.split()
    }
