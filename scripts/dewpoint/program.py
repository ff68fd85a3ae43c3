"""What every program in scripts/ shares: its command line is the signature of its `main`.

    def main(artifact: Artifact, settings: Settings, dataset: Path, runs: list[Path]): ...

is called as `--settings JSON --dataset PATH --runs PATH PATH --output MANIFEST [--code FINGERPRINT]`. All paths are
recorded as inputs; an optional one may be left empty. The artifact is sealed when `main` returns; when it does not,
nothing is left behind.
"""

import argparse
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from dewpoint.artifact import Artifact
from dewpoint.errors import UserError

Settings = SimpleNamespace
FLAGS = {
    Path: {"type": Path, "required": True},
    Path | None: {"type": Path, "nargs": "?"},
    list[Path]: {"type": Path, "nargs": "*", "default": []},
    str: {"required": True},
    int: {"type": int, "required": True},
}


def run(main: Callable) -> None:
    """Parse the command line after `main`'s signature, call it, seal its artifact; a user's mistake is one line."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # in a log they are noise
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("faiss").setLevel(logging.WARNING)
    parameters = inspect.signature(main).parameters
    parser = argparse.ArgumentParser(description=inspect.getdoc(sys.modules["__main__"]))
    parser.add_argument("--output", type=Path, required=True, help="the manifest (or file) to write")
    parser.add_argument("--settings", default="{}", help="what shapes the result, as JSON")
    parser.add_argument("--code", default="", help="fingerprint of the program, recorded in the manifest")
    for name, parameter in parameters.items():
        if name not in ("artifact", "settings", "output"):
            parser.add_argument(f"--{name}", **FLAGS[parameter.annotation])
    arguments = vars(parser.parse_args())
    output, settings, code = (arguments.pop(name) for name in ("output", "settings", "code"))
    if "settings" in parameters:
        arguments["settings"] = json.loads(settings, object_hook=lambda pairs: SimpleNamespace(**pairs))
    if "output" in parameters:
        arguments["output"] = output

    artifact = None
    try:
        if "artifact" in parameters:
            paths = [value for value in arguments.values() if isinstance(value, Path)]
            paths += [path for value in arguments.values() if isinstance(value, list) for path in value]
            helper = int(os.environ.get("RANK", 0))
            artifact = arguments["artifact"] = Artifact(output, json.loads(settings), code, paths, helper)
        main(**arguments)
        if artifact:
            artifact.seal()
    except UserError as error:
        sys.exit(1 if artifact and artifact.helper else f"error: {' '.join(str(error).splitlines())}")
    finally:
        if artifact:
            artifact.discard()
