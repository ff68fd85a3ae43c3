"""Whether an artifact is what its job would make: a comparison of its manifest with the job, and of nothing else.

Times, copies and Snakemake's own memory have no part in it, so a study that was taken to another machine is finished
there, and one that was taken there without that memory and then changed is not.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from dewpoint.artifact import content_hash, read_manifest
from dewpoint.errors import UserError


def stale(manifest: Path, settings: Any, code: str, inputs: Iterable[Path]) -> str | None:
    """Why a manifest is not that of a job with these settings, this code and these inputs; nothing when it is, or when
    there is none."""
    if not manifest.is_file():
        return None
    try:
        record = read_manifest(manifest)
    except UserError as error:
        return str(error)
    if record["settings"] != settings:
        return "settings changed"
    if record["code"] != code:
        return "code changed"
    try:
        found = [_content(path, path.stat().st_mtime_ns) if path.is_file() else None for path in {*inputs}]
    except UserError as error:  # an input's manifest is damaged, and will be made again first
        return str(error)
    then = Counter(record["inputs"].values())
    if len(found) != then.total() or Counter(filter(None, found)) - then:  # what is not there any more is as it was
        return "inputs changed"
    for name, file in record["files"].items():
        path = manifest.parent / name
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            return f"{path} is not whole"
    return None


@cache
def _content(path: Path, changed: int) -> str:
    return content_hash(path)
