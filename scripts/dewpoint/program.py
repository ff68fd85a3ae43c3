"""What every program in scripts/ shares: its command line is the signature of its `main`.

    def main(artifact: Artifact, settings: Settings, dataset: Path, runs: list[Path]): ...

is called as `--settings JSON --dataset PATH --runs PATH PATH --output MANIFEST [--code FINGERPRINT]`. A parameter that
is a dataclass stands for its fields; settings are what their type's classmethod `of` makes of the JSON, where it has
one. All paths are recorded as inputs; an optional one may be left empty. The artifact is sealed when `main` returns;
when it does not, nothing is left behind.
"""

import argparse
import errno
import inspect
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dewpoint.artifact import Artifact
from dewpoint.errors import UserError
from dewpoint.lease import named_gpus
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


def launch(main: Callable) -> None:
    """A training starts once more, a process for each GPU that the scheduler gave; nothing to do for one or none."""
    visible = named_gpus() or []
    if Pace in parameters(main).values() and "RANK" not in os.environ and len(visible) > 1:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={len(visible)}"]
        os.execv(sys.executable, [*torchrun, *sys.argv])


def run(main: Callable, words: Sequence[str] | None = None, options: Sequence[str] = ()) -> None:
    """Parse the command line after `main`'s signature, call it, seal its artifact; a user's mistake is one line.

    `options` may be given even when `main` does not take them.
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # in a log they are noise
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("faiss").setLevel(logging.WARNING)
    taken = parameters(main)
    parser = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[main.__module__]))
    parser.add_argument("--output", type=Path, required=True, help="the manifest (or file) to write")
    parser.add_argument(
        "--settings", nargs="+", default=["{}"], help="what shapes the result, as JSON; words are joined"
    )
    parser.add_argument("--code", default="", help="fingerprint of the program, recorded in the manifest")
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
        if artifact and (other := artifact.adopt()):
            logging.getLogger(__name__).info("the same was made before: %s", other)
            return
        main(**arguments)
        if artifact:
            artifact.seal()
    except UserError as error:
        sys.exit(1 if artifact and artifact.helper else f"error: {' '.join(str(error).splitlines())}")
    except Exception as error:
        if said := without_room(error, output):
            sys.exit(f"error: {said}")
        raise
    finally:
        if artifact:
            artifact.discard()
