"""A program that begins with the libraries loaded is what it is when started by itself, and ends with who asked."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

WARM = Path(__file__).parents[1] / "scripts" / "warm.py"
PROGRAM = """\
import json, os, signal, sys, time
import torch
if "wait" in sys.argv:
    if "heed" in sys.argv:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    print("begun", os.getpid(), flush=True)
    time.sleep(60)
torch.left, os.environ["LEFT"] = getattr(torch, "left", 0) + 1, "behind"
said = {
    "arguments": sys.argv, "folder": os.getcwd(), "asked": os.environ.get("ASKED"), "name": __name__,
    "threads": torch.get_num_threads(), "typed": sys.stdin.read(), "beside": sys.path[0], "left": torch.left,
}
print(json.dumps(said))
print("said to stderr", file=sys.stderr)
if "die" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[subprocess.Popen, str]]:
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/s"
        command = [sys.executable, WARM, "serve", place]
        with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
            while not Path(place).exists():
                time.sleep(0.02)
            yield process, place
            process.stdin.close()
            assert process.wait() == 0


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/p.py").write_text(PROGRAM)
    return tmp_path


def asking(place: str, *words: str) -> list:
    return [sys.executable, "-S", WARM, "run", place, "python", "scripts/p.py", *words]


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
    return {name: value for name, value in os.environ.items() if name != "LEFT"} | {"PATH": path} | more


def done(command: list, folder: Path, **more: str) -> tuple[int, str, str]:
    how = {"cwd": folder, "env": environment(**more), "capture_output": True, "text": True, "input": "typed"}
    ended = subprocess.run(command, check=False, **how)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("words", [["0"], ["5", "a word"], ["2", "--settings", '{"ü": "\\n"}'], ["0", "die"]])
def test_it_is_what_it_is_when_started_by_itself(served, folder, words):
    more = {"ASKED": "for é", "OMP_NUM_THREADS": "1"}
    alone = done([sys.executable, "scripts/p.py", *words], folder, **more)
    assert done(asking(served[1], *words), folder, **more) == alone
    assert alone[0] == (-signal.SIGKILL if "die" in words else int(words[0]))
    assert "die" in words or json.loads(alone[1])["threads"] == 1


def test_nothing_is_left_for_the_next(served, folder):
    said = [json.loads(done(asking(served[1], "0"), folder)[1]) for _ in range(3)]
    assert [one["left"] for one in said] == [1, 1, 1]


def test_many_at_once(served, folder):
    how = {"cwd": folder, "env": environment(), "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    all_of_them = [
        subprocess.Popen(asking(served[1], str(number), "of many"), stderr=subprocess.DEVNULL, **how)
        for number in range(20)
    ]
    for number, process in enumerate(all_of_them):
        said = json.loads(process.communicate()[0])
        assert process.returncode == number and said["arguments"][1:] == [str(number), "of many"]


def test_a_mistake_is_said_where_it_would_be(served, folder):
    (folder / "scripts/p.py").write_text("import nothing_of_this_name\n")
    code, _, said = done(asking(served[1]), folder)
    assert code == 1 and "No module named 'nothing_of_this_name'" in said


def begun(place: str, folder: Path, *words: str) -> tuple[subprocess.Popen, int]:
    """(who asks, the program's process)"""
    how = {"cwd": folder, "env": environment(), "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(asking(place, "0", "wait", *words), **how)
    return process, int(process.stdout.readline().split()[1])


def is_gone(process: int) -> bool:
    """Soon, or within a minute on a busy machine."""
    for _ in range(3000):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_signal_reaches_it(served, folder):
    for words, code in ((["heed"], 3), ([], -signal.SIGTERM)):
        who, program = begun(served[1], folder, *words)
        who.send_signal(signal.SIGTERM)
        assert who.wait() == code and is_gone(program)


def test_it_ends_with_who_asked(served, folder):
    who, program = begun(served[1], folder)
    who.kill()
    assert who.wait() == -signal.SIGKILL and is_gone(program)


def test_it_ends_with_the_process_it_is_from(folder):
    with tempfile.TemporaryDirectory() as short:
        server = subprocess.Popen([sys.executable, WARM, "serve", f"{short}/s"], stdin=subprocess.PIPE)
        while not Path(short, "s").exists():
            time.sleep(0.02)
        who, program = begun(f"{short}/s", folder)
        server.kill()
        server.wait()
        assert who.wait() == 1 and is_gone(program)
        code, said, _ = done(asking(f"{short}/s", "7"), folder)  # nobody answers any more
        assert code == 7 and json.loads(said)["arguments"] == ["scripts/p.py", "7"]
