"""Programs that begin with the libraries loaded: a process that has imported them forks for each that is asked for.

    warm.py serve SOCKET                        answers until its standard input is closed
    warm.py run SOCKET python SCRIPT ARGUMENT…  the script, as if it were started here; where nobody answers, it is

To import torch and transformers takes three seconds of a core, and a rehearsal has hundreds of jobs of a second or two.
What runs has the folder, environment and files of who asks, who ends as it does and hands signals on. Nothing is left
behind for the next one, for each is a child of a process that runs none. Linux alone has what it takes.
"""

import json
import os
import selectors
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

LIBRARIES = ["pandas", "pyarrow.parquet", "pyarrow.compute", "pydantic", "scipy.special", "numba", "torch"]
LIBRARIES += ["transformers.models.auto.modeling_auto", "transformers.models.bert.modeling_bert"]
THREADS = "OMP_NUM_THREADS"  # Snakemake's word to a job, which torch reads only when it is loaded
FORWARDED = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
LENGTH, KILLED, PDEATHSIG = struct.Struct("!I"), 256, 1


class Child(NamedTuple):
    process: int
    ended: int  # a descriptor that can be read then
    asking: socket.socket


# --- who asks -----------------------------------------------------------------------------------


def run(place: str, command: list[str]) -> None:
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(place)
    except OSError:
        os.execvp(command[0], command)
    asked = json.dumps([command[1:], str(Path.cwd()), dict(os.environ)]).encode()
    socket.send_fds(server, [LENGTH.pack(len(asked))], [0, 1, 2])
    server.sendall(asked)
    for number in FORWARDED:
        signal.signal(number, lambda number, _: server.sendall(bytes([number])))
    if not (answer := server.recv(LENGTH.size, socket.MSG_WAITALL)):
        sys.exit("error: the process that starts programs has ended")
    code = LENGTH.unpack(answer)[0]
    if code > KILLED:
        with suppress(OSError):  # as it is of SIGKILL
            signal.signal(code - KILLED, signal.SIG_DFL)
        os.kill(os.getpid(), code - KILLED)
    sys.exit(code)


# --- who answers --------------------------------------------------------------------------------


def serve(place: str) -> list[str] | None:
    """Returns in each child, with the command that it is to become; and with None when nobody is left to ask."""
    with socket.socket(socket.AF_UNIX) as listening, selectors.DefaultSelector() as waiting:
        listening.bind(place)
        listening.listen(512)
        load()
        waiting.register(sys.stdin, selectors.EVENT_READ)
        waiting.register(listening, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is sys.stdin:
                    return None
                if key.fileobj is listening:
                    if command := asked(listening.accept()[0], waiting):
                        return command
                elif key.fd == key.data.ended:
                    answer(key.data, waiting)
                elif key.fd in waiting.get_map():  # whose child has not ended just now
                    hear(key.data, waiting)


def load() -> None:
    """What a library says of its loading, a program would have in its log; here nobody reads it."""
    import gc
    from importlib import import_module

    for name in LIBRARIES:
        import_module(name)
    gc.freeze()  # what is never collected is never copied for a child


def asked(asking: socket.socket, waiting: selectors.BaseSelector) -> list[str] | None:
    """A child for who asks, in which this returns the command; None here, and where the question has no end."""
    length, files, _, _ = socket.recv_fds(asking, LENGTH.size, 3)
    said = asking.recv(*LENGTH.unpack(length), socket.MSG_WAITALL) if len(length) == LENGTH.size else b""
    command = None
    with suppress(ValueError):
        command, folder, environment = json.loads(said)
        if process := os.fork():
            command, child = None, Child(process, os.pidfd_open(process), asking)
            for readable in (child.asking, child.ended):
                waiting.register(readable, selectors.EVENT_READ, child)
        else:
            become(folder, environment, files)
    for file in files:
        os.close(file)
    return command


def become(folder: str, environment: dict[str, str], files: list[int]) -> None:
    """All that a new process would have; and it ends with the one that it is from."""
    import ctypes

    import torch

    ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)
    for place, file in enumerate(files):
        os.dup2(file, place)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if threads := environment.get(THREADS):
        torch.set_num_threads(int(threads))


def hear(child: Child, waiting: selectors.BaseSelector) -> None:
    """A signal for a child; or that who asked for it is no more, and so nor is it."""
    number = child.asking.recv(1)
    if not number:
        waiting.unregister(child.asking)
    os.kill(child.process, number[0] if number else signal.SIGKILL)


def answer(child: Child, waiting: selectors.BaseSelector) -> None:
    """How it ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(child.process, 0)[1])
    waiting.unregister(child.ended)
    os.close(child.ended)
    with suppress(KeyError):
        waiting.unregister(child.asking)
    with child.asking, suppress(OSError):
        child.asking.sendall(LENGTH.pack(code if code >= 0 else KILLED - code))


if __name__ == "__main__":
    what, place, *command = sys.argv[1:]
    if what == "run":
        run(place, command)
    if command := serve(place):
        import runpy

        sys.argv = command
        sys.path[0] = str(Path(command[0]).resolve().parent)
        runpy.run_path(command[0], run_name="__main__")
