"""The artifacts of a study: all that lie in its folder of results, and what of the prepared data they are made from.

Each has a name that no folder is part of, `models/first` or `data/pydocs`, so that two places can be compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dewpoint.artifact import MANIFEST, read_manifest
from dewpoint.errors import UserError

# folders of results and of data with artifacts in them, and how deep they lie in each
RESULTS = {"embeddings": 3, "derived": 3, "indexes": 2, "runs": 2, "latency": 2, "scores": 2, "models": 1}
RESULTS |= {"negatives": 1, "clusters": 1, "comparisons": 1, "analyses": 1, "tables": 1, "report": 0}
DATA = {"tokenizers": 1, "downloads": 1, "files": 1, "stand-ins": 1}


def named(manifest: Path) -> str:
    """What an artifact is called, wherever results and data lie."""
    parts = manifest.parent.parts if manifest.name == MANIFEST else manifest.with_suffix("").parts
    for folder, deep in (RESULTS | DATA).items():
        if len(parts) > deep and parts[-1 - deep] == folder and (deep or manifest.name != MANIFEST):
            return "/".join([*(["data"] if folder in DATA else []), *parts[-1 - deep :]])
    return "/".join(["data", *(parts[-3:] if parts[-2:-1] == ("tokens",) else parts[-1:])])


@dataclass(frozen=True)
class Held:
    """An artifact that is there, with its record; `inputs` are what it was made from: name → (where, content)."""

    name: str
    manifest: Path
    record: dict[str, Any]

    @cached_property
    def inputs(self) -> dict[str, tuple[Path, str]]:
        recorded = [(Path(path), content) for path, content in self.record["inputs"].items()]
        return {named(path) if path.suffix == ".json" else str(path): (path, content) for path, content in recorded}

    @property
    def files(self) -> dict[Path, dict[str, Any]]:
        return {self.manifest.parent / name: said for name, said in self.record["files"].items()}


@dataclass(frozen=True)
class Inventory:
    results: Path
    data: Path | None  # None: not at hand
    artifacts: dict[str, Held] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)  # a line for each manifest that cannot be read

    def place(self, name: str) -> Path | None:
        """Where the artifact of a name has its manifest, if it is there."""
        of_data = name.startswith("data/")
        root, at = (self.data if of_data else self.results), name.removeprefix("data/")
        if root is None:
            return None
        beside = [root / f"{at}.json"] if not of_data or at.startswith("downloads/") else []
        return next((path for path in (root / at / MANIFEST, *beside) if path.is_file()), None)

    @property
    def environments(self) -> Path:
        return self.results.parent / "environments"


def inventory(results: Path, data: Path | None) -> Inventory:
    """All artifacts below `results`, and those below `data` that they lead to, through their inputs."""
    found = Inventory(results, data)
    todo = sorted(path for path in visible(results) if path.suffix == ".json" and is_place(path.relative_to(results)))
    seen = {*todo}
    for path in todo:
        try:
            held = Held(named(path), path, read_manifest(path))
        except UserError as error:
            found.wrong.append(str(error))
            continue
        found.artifacts[held.name] = held
        below = [place for place in dict.fromkeys(map(found.place, held.inputs)) if place and place not in seen]
        todo += below
        seen.update(below)
    return found


def is_place(path: Path) -> bool:
    """Whether a manifest lies here, a path below a study's results."""
    deep = RESULTS.get(path.with_suffix("").parts[0])
    return deep is not None and len(path.parts) == deep + (2 if path.name == MANIFEST else 1)


def visible(folder: Path) -> Iterator[Path]:
    """All files that are no work in progress."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def data_of(results: Path) -> Path | None:
    """The data that results were made from, where they lie to each other as they did then."""
    for held in inventory(results, None).artifacts.values():
        for name, (where, _) in held.inputs.items():
            if name.startswith("data/") and where.suffix == ".json":
                then = where.parents[len(Path(name).parts) - (1 if where.name == MANIFEST else 2)]
                return next((above / then for above in results.absolute().parents if (above / then).is_dir()), None)
    return None


def results_in(folder: Path, called: Path, results: Path) -> Inventory:
    """What another run made of a study, wherever in a folder it lies."""
    inside = [folder / results, folder / "results" / results.name, folder / results.name, folder]
    for place in [place for place in inside if place.is_dir()]:
        found = inventory(place, data_of(place))
        if found.artifacts:
            return found
    raise UserError(
        f"{called}: no results of {results.name} there; expected a project, a study's results, or an archive"
    )
