"""Two results of a study, artifact by artifact: what is equal, where they part, and what was otherwise there."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dewpoint.environment import differences, kept
from dewpoint.inventory import Held, Inventory

OF_A_JOB = ("device", "threads", "capability", "blas", "gpu", "variables")  # what a manifest's `run` says of it

IN_SHORT = ("commit", "changed", "python", "versions")  # and of where it was made


@dataclass
class Compared:
    equal: int = 0
    other: list[str] = field(default_factory=list)  # names of those that differ, the first up the chain first
    lines: list[str] = field(default_factory=list)  # on those that differ though their inputs do not
    measured: list[str] = field(default_factory=list)  # a clock is in them
    here: list[str] = field(default_factory=list)  # only
    there: list[str] = field(default_factory=list)


def compare(ours: Inventory, earlier: Inventory) -> Compared:
    """Our artifacts with those of the same names of an earlier run; what differs below another only follows from it."""
    found = Compared()
    found.here = [name for name in ours.artifacts if name not in earlier.artifacts]
    found.there = [name for name in earlier.artifacts if name not in ours.artifacts]
    for name in in_order(ours):
        if name not in earlier.artifacts:
            continue
        one, other = ours.artifacts[name], earlier.artifacts[name]
        if is_measured(one):
            found.measured.append(name)
        elif one.record["content"] == other.record["content"]:
            found.equal += 1
        else:
            found.other.append(name)
            follows = [source for source in _inputs_that_differ(one, other) if source in found.other]
            if not follows:
                found.lines += [f"{name}: {', '.join(files_that_differ(one, other))}"]
                found.lines += [f"    {line}" for line in _why(one, other, ours, earlier)]
    return found


def in_order(held: Inventory) -> list[str]:
    """Names, each after those that it was made from."""
    order: dict[str, None] = {}
    todo = [(name, False) for name in reversed(held.artifacts)]
    while todo:
        name, done = todo.pop()
        if done:
            order[name] = None
        elif name not in order:
            todo.append((name, True))
            todo += [(source, False) for source in held.artifacts[name].inputs if source in held.artifacts]
    return list(order)


def is_measured(one: Held) -> bool:
    """Whether it says how long something took, which is never the same twice."""
    if one.name == "report" or one.name.startswith("latency/") or is_cost(one.name):
        return True
    return re.search(r'"(latency[a-z0-9-]*@|[a-z-]+-hours")', json.dumps(one.record["settings"])) is not None


def is_cost(name: str) -> bool:
    """Whether it is what a ranker costs: a score of a dataset, and of no split."""
    return name.startswith("scores/") and "." not in name.split("/")[-1]


def largest_difference(ours: Inventory, earlier: Inventory) -> str | None:
    """The metric that differs most, of all rankers on all splits."""
    found = []
    for name in ours.artifacts.keys() & earlier.artifacts.keys():
        if name.startswith("scores/") and not is_cost(name):
            now, then = (held.artifacts[name].record["facts"]["metrics"] for held in (ours, earlier))
            metrics = [metric for metric in now.keys() & then.keys() if not metric.startswith("latency")]
            found += [(abs(now[metric] - then[metric]), name, metric, then[metric], now[metric]) for metric in metrics]
    difference, name, metric, then, now = max(found, default=(0, "", "", 0, 0))
    return f"{metric} of {name.removeprefix('scores/')} by {difference:.6f}: {then} → {now}" if difference else None


def _inputs_that_differ(one: Held, other: Held) -> list[str]:
    now, then = ({name: content for name, (_, content) in held.inputs.items()} for held in (one, other))
    return [name for name in now if now[name] != then.get(name)] + [name for name in then if name not in now]


def files_that_differ(one: Held, other: Held) -> list[str]:
    now, then = one.record["files"], other.record["files"]
    sums = [{name: said["sha256"] for name, said in files.items()} for files in (now, then)]
    return sorted(name for name in now.keys() | then.keys() if sums[0].get(name) != sums[1].get(name))


def _why(one: Held, other: Held, ours: Inventory, earlier: Inventory) -> Iterator[str]:
    """All in which the two were made otherwise, earlier → now."""
    found = [f"settings: {line}" for line in differences(other.record["settings"], one.record["settings"])]
    if one.record["code"] != other.record["code"]:
        found.append(f"code: {other.record['code'] or 'unknown'} → {one.record['code'] or 'unknown'}")
    found += [f"input {name} differs" for name in _inputs_that_differ(one, other)]
    found += made_elsewhere(one, other, ours, earlier)
    yield from found or ["made alike, as far as manifests tell: settings, code, inputs, packages, processor, threads"]


def made_elsewhere(one: Held, other: Held, ours: Inventory, earlier: Inventory) -> Iterator[str]:
    """What differs of the environments; of one whose file is gone, what its manifest says."""
    of = ((other, earlier), (one, ours))
    then, now = (kept(held.environments, made.record["run"].get("environment")) for made, held in of)
    if not then or not now:
        then, now = ({key: held.record["run"].get(key) for key in IN_SHORT} for held in (other, one))
    jobs = ({key: held.record["run"].get(key) for key in OF_A_JOB} for held in (other, one))
    yield from differences(*(environment | job for environment, job in zip((then, now), jobs, strict=True)))
