"""What it takes to make results again: data with their sums, releases with their revisions, code, packages, machine.

The page shows it in short; report.yaml, beside it, has all of it with the study and the config as they were run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dewpoint.artifact import record_of
from dewpoint.environment import kept
from dewpoint.inventory import named
from dewpoint.report.lineage import Made

REVISIONS = ("revision", "query_revision")


@dataclass(frozen=True)
class Provenance:
    made: list[Made] = field(default_factory=list)  # whose it is
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)  # name → settings, content, made_from
    files: dict[str, dict[str, Any]] = field(default_factory=dict)  # fetched, or the user's own
    released: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # artifact → source and revisions of a hub's model
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)  # hash → what its file says
    threads: list[int] = field(default_factory=list)  # that torch computed with


def provenance(made: list[Made], results: Path) -> Provenance:
    """Of what was made, and of the data behind it as far as they are there."""
    found, records = Provenance(made), {one.name: one.manifest for one in made}
    for path, content in _behind(made, results):
        if (record := record_of(path)) is None:
            found.files[str(path)] = {"sha256": content}
        elif named(path).startswith("data/downloads/"):
            said = next(iter(record["files"].values()))
            facts = {key: value for key, value in record["facts"].items() if value is not None}
            found.files[path.stem] = {"sha256": said["sha256"], "bytes": said["bytes"], **facts}
        else:
            records[named(path)] = record
            if "passages" in record["facts"] or "study" in record["facts"]:
                made_from = {Path(file).stem if "/downloads/" in file else file for file in record["inputs"]}
                about = {"settings": record["settings"], "content": record["content"], "made_from": sorted(made_from)}
                found.datasets[path.parent.name] = about
    for name, record in records.items():
        revisions = {key: record["facts"][key] for key in REVISIONS if key in record["facts"]}
        if revisions:
            sources = {
                key: record["settings"][key] for key in ("source", "query_source") if record["settings"].get(key)
            }
            found.released[name] = sources | revisions
    runs = [record["run"] for record in records.values()]
    for name in dict.fromkeys(run.get("environment") for run in runs):
        if name:
            found.environments[name] = kept(results.parent / "environments", name)
    found.threads.extend(sorted({run["threads"]["torch"] for run in runs if "torch" in run.get("threads", {})}))
    return found


def _behind(made: list[Made], results: Path) -> Iterator[tuple[Path, str]]:
    """(path, content) of every input that is no part of the results, and of the inputs of these."""
    seen, todo = set(), [(Path(path), content) for one in made for path, content in one.manifest["inputs"].items()]
    for path, content in todo:
        if path in seen or path.absolute().is_relative_to(results.absolute()):
            continue
        seen.add(path)
        yield path, content
        if record := record_of(path):
            todo += [(Path(source), held) for source, held in record["inputs"].items()]


def in_short(found: Provenance) -> dict[str, list[str]]:
    """Lines for the page; more than one value where artifacts were made in different places."""
    rows: dict[str, list[str]] = {}

    def add(what: str, value: Any) -> None:
        if value and str(value) not in rows.setdefault(what, []):
            rows[what].append(str(value))

    for name, said in found.environments.items():
        add("environment", f"environments/{name}.json")
        if not said:
            continue
        changed = said["code"]["changed"]
        add("changed since the commit", ", ".join(changed) if changed else "" if changed is None else "nothing")
        add("snakemake", said["snakemake"])
        add("all packages", f"{len(said['packages'])}, SHA-256 {said['packages_hash'][:16]}")
        add("lock file", f"{said['lock']['file']}, SHA-256 {(said['lock']['sha256'] or 'unknown')[:16]}")
        add("system", f"{said['system']['name']}, {said['system']['libc'] or 'another libc'}")
        features = " ".join(said["processor"]["features"])
        add("processor", f"{said['processor']['model']} ({features})")
    if found.threads:
        add("threads of torch", ", ".join(map(str, found.threads)))
    for name, said in found.released.items():
        add("released models", f"{name}: " + ", ".join(said.values()))
    return rows


def as_yaml(study, config: dict[str, Any], found: Provenance) -> str:
    """All of it, to be kept with the results: the study with every value that it left out, then what it was made of."""
    said = {
        "config": config,
        "study": study.model_dump(mode="json", by_alias=True),
        "datasets": found.datasets,
        "files": found.files,
        "released": found.released,
        "environments": {
            name: {key: value for key, value in about.items() if key not in ("packages", "conda")}
            for name, about in found.environments.items()
        },
        "threads": found.threads,
    }
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=120)
