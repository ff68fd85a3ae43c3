"""What was made for a study: found by following the inputs that manifests record, never by what else lies about."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dewpoint.artifact import read_manifest

STAGES = (  # after the training of models
    "negatives",
    "embeddings",
    "clusters",
    "derived",
    "indexes",
    "latency",
    "runs",
    "scores",
    "comparisons",
    "analyses",
)


@dataclass(frozen=True)
class Made:
    """An artifact below the results folder. A model's stage is its recipe, any other's the folder it lies in."""

    stage: str
    name: str
    manifest: dict[str, Any]

    @property
    def seconds(self) -> float:
        return self.manifest["run"]["seconds"]

    @property
    def memory_mb(self) -> int:
        return self.manifest["run"]["peak_memory_mb"]

    @property
    def device_memory_mb(self) -> int:
        return self.manifest["run"].get("peak_device_memory_mb", 0)

    @property
    def gpu_hours(self) -> float:
        """Of all GPUs that it was shared by."""
        devices = self.manifest["facts"].get("devices", 1) if self.manifest["run"].get("gpu") else 0
        return devices * self.seconds / 3600

    @property
    def tokens(self) -> tuple[float, float]:
        """So many that were trained on, and the seconds that they took; a training that was resumed counts its last."""
        facts = self.manifest["facts"]
        if "tokens_per_second" not in facts:
            return 0, 0
        seconds = facts.get("training_seconds") or self.seconds
        return facts["tokens_per_second"] * seconds, seconds


@dataclass(frozen=True)
class Stage:
    name: str
    made: list[Made]

    @property
    def seconds(self) -> float:
        return sum(one.seconds for one in self.made)

    @property
    def memory_mb(self) -> int:
        return max(one.memory_mb for one in self.made)

    @property
    def device_memory_mb(self) -> int:
        return max(one.device_memory_mb for one in self.made)

    @property
    def gpu_hours(self) -> float:
        return sum(one.gpu_hours for one in self.made)

    @property
    def tokens_per_second(self) -> float | None:
        """On average, of those that train on tokens."""
        tokens, seconds = (sum(part) for part in zip(*(one.tokens for one in self.made), strict=True))
        return tokens / seconds if seconds else None


def follow(manifests: Iterable[Path], results: Path) -> list[Made]:
    """The artifacts with these manifests and all below `results` that they come from, as far as they are there."""
    results = results.absolute()
    found: dict[Path, Made] = {}
    todo = [path.absolute() for path in manifests]
    for path in todo:
        if path in found or path.suffix != ".json" or not path.is_relative_to(results) or not path.is_file():
            continue
        manifest = read_manifest(path)
        name = path.relative_to(results).with_suffix("").as_posix().removesuffix("/manifest")
        stage = manifest["settings"].get("recipe") or name.split("/")[0]
        found[path] = Made(stage, name, manifest)
        todo += [Path(source).absolute() for source in manifest["inputs"]]
    return list(found.values())


def stages(made: list[Made]) -> list[Stage]:
    """In the order of the work: recipes as they come, then the rest."""
    names = dict.fromkeys(one.stage for one in made)
    names = sorted(names, key=lambda name: STAGES.index(name) if name in STAGES else -1)
    return [Stage(name, [one for one in made if one.stage == name]) for name in names]


def environment(made: list[Made]) -> dict[str, list[str]]:
    """What it was all made with; more than one value where artifacts differ."""
    runs = [one.manifest["run"] for one in made]
    finished = sorted(datetime.fromisoformat(run["finished"]) for run in runs)
    dates = dict.fromkeys(f"{date:%Y-%m-%d %H:%M}" for date in (finished[0], finished[-1])) if finished else {}
    return {
        "finished": [" to ".join(dates)],
        "device": _distinct(run["device"] for run in runs),
        "seed": _distinct(one.manifest["settings"].get("seed") for one in made),
        "commit": _distinct(run["commit"] for run in runs),
        "python": _distinct(run["python"] for run in runs),
        "packages": sorted(_distinct(f"{name} {version}" for run in runs for name, version in run["versions"].items())),
    }


def _distinct(values: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values if value is not None))
