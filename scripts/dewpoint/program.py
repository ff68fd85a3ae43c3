"""What every program in scripts/ shares: its command line is the signature of its `main`.

    def main(artifact: Artifact, settings: Settings, dataset: Path, runs: list[Path]): ...

is called as `--settings JSON --dataset PATH --runs PATH PATH --output MANIFEST [--code FINGERPRINT]`. A parameter that
is a dataclass stands for its fields; settings are what their type's classmethod `of` makes of the JSON, where it has
one. All paths are recorded as inputs; an optional one may be left empty. The artifact is sealed when `main` returns;
when it does not, nothing is left behind. Exit codes: 2 for a mistake in what the program was given, 3 for work that was
stopped and goes on when it is tried again, 1 for a fault of the program.
"""

import argparse
import errno
import inspect
import json
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dewpoint.artifact import Artifact
from dewpoint.errors import UserError
from dewpoint.lease import count_gpus, named_gpus, take_devices
from dewpoint.tracked import tracked
from dewpoint.training.given import Pace

Settings = SimpleNamespace
FLAGS = {
    Path: {"type": Path, "required": True},
    Path | None: {"type": Path, "nargs": "?"},
    list[Path]: {"type": Path, "nargs": "*", "default": []},
    str: {"required": True},
    int: {"type": int, "required": True},
}


WORD = 30_000  # letters, of up to four bytes each
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)
OURS = ("artifact", "settings", "output")  # what each program has, whatever its main takes


def parameters(main: Callable) -> dict[str, Any]:
    """What `main` takes, with types."""
    return {name: parameter.annotation for name, parameter in inspect.signature(main).parameters.items()}


def flags(main: Callable) -> dict[str, Any]:
    """The flags of a program's command line, with their types, beside those that each has."""
    given = {name: type for name, type in parameters(main).items() if name not in OURS}
    return {flag: leaf for name, type in given.items() for flag, leaf in _leaves(name, type)}


def _leaves(name: str, type: Any, inside: bool = False):
    """A dataclass's fields go by their own names, those of one in another with its name before."""
    if is_dataclass(type):
        for field in fields(type):
            for flag, leaf in _leaves(field.name, field.type, True):
                yield f"{name}_{flag}" if inside else flag, leaf
    else:
        yield name, type


def _gathered(name: str, type: Any, values: dict[str, Any], inside: str | None = None) -> Any:
    """A parameter's value from those of its flags."""
    if not is_dataclass(type):
        return values[f"{inside or ''}{name}"]
    before = None if inside is None else f"{inside}{name}_"
    return type(**{field.name: _gathered(field.name, field.type, values, before or "") for field in fields(type)})


def given(main: Callable, paths: dict[str, list[Path]]) -> dict[str, Path | list[Path] | None]:
    """The paths that `main` takes, as it takes them: a list, one, or none."""
    empty = (Path | None, list[Path])  # may be
    taken = {name: type for name, type in parameters(main).items() if name in paths or type in empty}
    return {
        name: paths.get(name, []) if type == list[Path] else next(iter(paths.get(name, [])), None)
        for name, type in taken.items()
    }


def namespace(settings: str) -> Settings:
    """Settings as a program has them."""
    return json.loads(settings, object_hook=lambda pairs: SimpleNamespace(**pairs))


def _settings(main: Callable, written: str) -> Any:
    """As `main` takes them: made by its annotation's `of`, where it has one."""
    of = getattr(parameters(main)["settings"], "of", None)
    try:
        return of(json.loads(written)) if of else namespace(written)
    except ValueError as error:
        raise UserError(f"--settings: {error}") from None


def without_room(error: Exception, output: Path) -> str | None:
    """What the file system refused, and where, if that is what an error says; some libraries say it in words alone."""
    number = error.errno if isinstance(error, OSError) else None
    for code in NO_ROOM:
        if number == code or (number is None and os.strerror(code) in str(error)):
            return f"{getattr(error, 'filename', None) or output}: {os.strerror(code)}"
    return None


def in_words(settings: str) -> str | list[str]:
    """Settings that grow with the study, as a command line takes them: no word may have more than 128 KiB.

    None but the first begins like an option.
    """
    return settings if len(settings) <= WORD else re.findall(rf"(?s).{{1,{WORD}}}(?!-)", settings)


def launch(main: Callable, words: Sequence[str]) -> None:
    """A training starts once more, a process for each GPU of each node that it is given; nothing to do for one or none.

    Where nothing names GPUs, it takes as many as `--gpus` says. `--nodes` are those of a SLURM job.
    """
    if Pace not in parameters(main).values() or "RANK" in os.environ:
        return
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("gpus", "nodes", "threads"):
        parser.add_argument(f"--{name}", type=int, default=1)
    asked = parser.parse_known_args(words)[0]
    if named_gpus() is None and min(asked.gpus, count_gpus()) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(take_devices(min(asked.gpus, count_gpus())))
    processes = max(1, len(named_gpus() or []))
    torchrun, here = [sys.executable, "-m", "torch.distributed.run"], f"--nproc-per-node={processes}"
    if asked.nodes > 1:
        port = 20_000 + int(os.environ["SLURM_JOB_ID"]) % 20_000
        of_node = f"{here} --nnodes={asked.nodes} --node-rank=$SLURM_NODEID --master-addr=$SLURM_LAUNCH_NODE_IPADDR"
        each = f'exec {shlex.join(torchrun)} {of_node} --master-port={port} "$@"'
        step = [f"--nodes={asked.nodes}", f"--ntasks={asked.nodes}", f"--cpus-per-task={asked.threads}"]
        os.execvp("srun", ["srun", *step, "--kill-on-bad-exit", "bash", "-c", each, "bash", *sys.argv])
    if processes > 1:
        os.execv(sys.executable, [*torchrun, "--standalone", here, *sys.argv])


class Ended(SystemExit):
    """A program's end in one line, with an exit code that says whether to try again is of use."""

    def __init__(self, error: UserError):
        line = str(error)
        super().__init__(line if line.startswith(error.begins) else error.begins + line)
        self.code = error.code
        print(self, file=sys.stderr)


def by_hand(main: Callable[[], int | None]) -> None:
    """A program for people: its mistakes are a line, and who stops it sees no traceback."""
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def run(main: Callable, words: Sequence[str] | None = None, options: Sequence[str] = ()) -> None:
    """Parse the command line after `main`'s signature, call it, seal its artifact; a user's mistake is one line.

    `options` may be given even when `main` does not take them.
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # in a log they are noise
    os.environ.setdefault("MKL_DYNAMIC", "FALSE")  # as many threads as are asked for, or sums differ by machine
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # and in the same order each time on a GPU
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("faiss").setLevel(logging.WARNING)
    taken = parameters(main)
    parser = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[main.__module__]))
    parser.add_argument("--output", type=Path, required=True, help="the manifest (or file) to write")
    parser.add_argument(
        "--settings", nargs="+", default=["{}"], help="what shapes the result, as JSON; words are joined"
    )
    parser.add_argument("--code", default="", help="fingerprint of the program, recorded in the manifest")
    parser.add_argument("--other", type=Path, nargs="*", default=[], help="what else it is made from, recorded as well")
    taken_flags = flags(main)
    for name, type in taken_flags.items():
        parser.add_argument(f"--{name}", **FLAGS[type])
    for name in options:
        if name not in taken_flags:
            parser.add_argument(f"--{name}", help="not used here")
    values = vars(parser.parse_args(words))
    output, settings, code = values.pop("output"), "".join(values.pop("settings")), values.pop("code")
    arguments = {name: _gathered(name, type, values) for name, type in taken.items() if name not in OURS}
    if "output" in taken:
        arguments["output"] = output

    artifact = None
    try:
        if "settings" in taken:
            arguments["settings"] = _settings(main, settings)
        if "artifact" in taken:
            paths = [value for value in values.values() if isinstance(value, Path)]
            paths += [path for value in values.values() if isinstance(value, list) for path in value]
            helper = int(os.environ.get("RANK", 0))
            artifact = arguments["artifact"] = Artifact(output, json.loads(settings), code, paths, helper)
        if artifact and (other := artifact.is_made()):
            logging.getLogger(__name__).info("the same was made before: %s", other)
            return
        with tracked(artifact if Pace in taken.values() else None):
            main(**arguments)
        if artifact:
            artifact.seal()
    except UserError as error:
        if artifact and artifact.helper:  # the one that leads says it
            sys.exit(error.code)
        raise Ended(error) from None
    except Exception as error:
        if said := without_room(error, output):
            sys.exit(f"error: {said}")
        raise
    finally:
        if artifact:
            artifact.discard()
