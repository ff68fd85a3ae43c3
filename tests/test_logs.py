"""A job's log keeps all attempts, and says of the last one how it ended and whether another is of use."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from dewpoint.errors import Stopped, UserError
from dewpoint.logs import last_attempt, last_word, worth
from dewpoint.program import run

LOGGED = Path(__file__).parents[1] / "scripts" / "logged.sh"


def logged(log: Path, command: str) -> subprocess.Popen:
    environment = os.environ | {"SLURM_JOB_ID": "17", "CUDA_VISIBLE_DEVICES": "3", "SLURMD_NODENAME": "node1"}
    return subprocess.Popen(["bash", LOGGED, log, "bash", "-c", command], env=environment)


def attempt(log: Path, command: str) -> int:
    """As Snakemake does it: what was the log is removed before."""
    log.unlink(missing_ok=True)
    return logged(log, command).wait()


def test_attempts_stand_one_after_the_other(tmp_path):
    log = tmp_path / "a log.txt"
    assert attempt(log, "echo one; echo error: of one >&2; exit 2") == 2
    assert last_attempt(log) == ["one", "error: of one"]
    assert attempt(log, "echo two") == 0
    assert last_attempt(log) == ["two"]
    lines = log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("== ")] == ["one", "error: of one", "two"]
    assert [line.split(", ")[0] for line in lines if line.startswith("== ")] == ["== attempt 1", "== attempt 2"]
    assert all(line.endswith(", node1, GPU 3, SLURM job 17") for line in lines if line.startswith("== "))


def test_a_duplicate_takes_nothing_from_the_log_of_a_process_at_work(tmp_path):
    log, pipe = tmp_path / "log", tmp_path / "pipe"
    os.mkfifo(pipe)
    first = logged(log, f"echo begun; read < {pipe}; echo done")
    while not log.exists() or "begun" not in log.read_text():
        assert first.poll() is None
    assert attempt(log, "echo second") == 0
    pipe.write_text("\n")
    first.wait()
    assert [line for line in log.read_text().splitlines() if "==" not in line] == ["begun", "second", "done"]


def test_a_signal_reaches_the_command(tmp_path):
    begun = tmp_path / "begun"
    process = logged(tmp_path / "log", f"trap 'echo asked; exit 3' TERM; touch {begun}; while :; do sleep .05; done")
    while not begun.exists():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 3
    assert last_word(tmp_path / "log") == "asked"


@pytest.mark.parametrize(
    ("said", "times", "word"),
    [
        ("5/9 steps\nerror: d/c.csv:3: no id\n", 0, "error: d/c.csv:3: no id"),
        ("error: d/c.csv:3: no id\nChildFailedError:\n  Traceback ...\n", 0, "error: d/c.csv:3: no id"),
        ("5/9 steps\nstopped at step 6 of 9; the same command resumes there\ntorchrun: bye\n", 5, "stopped at step 6"),
        ("stopped at step 6 of 9\nTraceback (most recent call last):\nSignalException: 15\n", 5, "stopped at step 6"),
        ("5/9 steps\n", 5, "5/9 steps"),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'x'\n", 1, "KeyError: 'x'"),
        ("", 5, "ended without a word"),
    ],
)
def test_how_often_a_job_is_worth_another_attempt(tmp_path, said, times, word):
    log = tmp_path / "log"
    log.write_text(f"== attempt 1, x\nerror: an old one\nTraceback (most recent call last):\n== attempt 2, x\n{said}")
    assert worth(log, 5) == times and worth(log, 0) == 0
    assert last_word(log).startswith(word)


def test_no_log_is_no_mistake(tmp_path):
    assert worth(tmp_path / "log", 5) == 5


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("c.csv:\n no id"), 2, "error: c.csv:  no id\n"),
        (Stopped("stopped at step 6 of 9"), 3, "stopped at step 6 of 9\n"),
    ],
)
def test_exit_codes(tmp_path, capsys, error, code, line):
    def main(output: Path):
        raise error

    with pytest.raises(SystemExit) as exit:
        run(main, ["--output", str(tmp_path / "x")])
    assert exit.value.code == code
    assert capsys.readouterr().err == line
