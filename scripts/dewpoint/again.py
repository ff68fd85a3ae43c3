"""A study made anew, apart from what was made before and with nothing of it, to see whether the same comes out."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from dewpoint.environment import PROJECT
from dewpoint.errors import UserError
from dewpoint.inventory import Inventory

FINISHED = "finished"


def make_again(study: str, first: Inventory) -> Path:
    """Where the new results lie. One that was interrupted goes on; downloads are taken from those that are here."""
    apart = first.results.parent / ".again"
    if (apart / FINISHED).is_file():
        shutil.rmtree(apart)
    values = as_run(first) | {"output": f"{apart}/results", "data": f"{apart}/data", "reuse": False}
    if first.data and (first.data / "downloads").is_dir():
        values["offline"] = str(first.data / "downloads")
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile"), "--cores", "all"]
    words += ["--config", f"study={study}", *(f"{key}={value}" for key, value in values.items())]
    if subprocess.run(words).returncode:
        raise UserError(
            f"{study}: could not be made again; what was made lies in {apart}, and goes on when asked again"
        )
    (apart / FINISHED).touch()
    name = first.results.name
    return next(path for depth in ("", "*/") for path in apart.glob(f"results/{depth}{name}"))  # deeper: a rehearsal


def as_run(first: Inventory) -> dict[str, Any]:
    """What the config was that shaped the results, whatever config.yaml says by now; of a study that has a report."""
    report = first.artifacts.get("report")
    return report.record["settings"].get("config", {}) if report else {}
