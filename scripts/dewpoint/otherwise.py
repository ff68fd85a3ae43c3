"""In what two results of a study were made otherwise: settings, code, packages and machines, data, entries."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from dewpoint.compared import files_that_differ, made_elsewhere
from dewpoint.environment import differences
from dewpoint.inventory import Inventory

SHOWN = 3  # names of a line
LONGEST = 160  # characters of a setting
WHOLE = ("report",)  # whose settings are the study itself


def what_differs(now: Inventory, then: Inventory) -> dict[str, list[str]]:
    """Lines by what they are about, then → now; nothing of what is the same."""
    found = {
        "settings": gathered(_settings(now, then)),
        "code": gathered(_code(now, then)),
        "packages and machines": gathered(_environments(now, then)),
        "data": _data(now, then),
        "only there": _only(then, now),
        "only here": _only(now, then),
    }
    return {what: lines for what, lines in found.items() if lines}


def gathered(said: Iterable[tuple[str, str]]) -> list[str]:
    """(name, line)s, with each line once, before it those that it is said of."""
    of: dict[str, list[str]] = defaultdict(list)
    for name, line in said:
        of[line].append(name)
    return [f"{named_shortly(names)}: {line}" for line, names in of.items()]


def named_shortly(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _shared(now: Inventory, then: Inventory) -> Iterator[tuple]:
    for name, one in now.artifacts.items():
        if other := then.artifacts.get(name):
            yield name, one, other


def _settings(now: Inventory, then: Inventory) -> Iterator[tuple[str, str]]:
    for name, one, other in _shared(now, then):
        if name not in WHOLE:
            for line in differences(other.record["settings"], one.record["settings"]):
                yield name, line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _code(now: Inventory, then: Inventory) -> Iterator[tuple[str, str]]:
    for name, one, other in _shared(now, then):
        before, after = (held.record["code"] or "unknown" for held in (other, one))
        if before != after:
            yield name, f"{before} → {after}"


def _environments(now: Inventory, then: Inventory) -> Iterator[tuple[str, str]]:
    for name, one, other in _shared(now, then):
        for line in made_elsewhere(one, other, now, then):
            yield name, line


def _data(now: Inventory, then: Inventory) -> list[str]:
    """Contents as artifacts were made from them, whether the data are at hand or not; the files, where they are."""
    after, before = map(_contents, (now, then))
    lines = []
    for name in after:
        if name in before and after[name] != before[name]:
            pair = [held.artifacts.get(name) for held in (now, then)]
            lines.append(f"{name}: {', '.join(files_that_differ(*pair))}" if all(pair) else name)
    return lines


def _contents(held: Inventory) -> dict[str, str]:
    """Of all data, and of files of the user's own, by their paths."""
    used = [(name, *of) for one in held.artifacts.values() for name, of in one.inputs.items()]
    found = {name: content for name, path, content in used if name.startswith("data/") or path.suffix != ".json"}
    return found | {name: one.record["content"] for name, one in held.artifacts.items() if name.startswith("data/")}


def _only(one: Inventory, other: Inventory) -> list[str]:
    """Names by stage; data that are not at hand are known from what was made of them."""
    there = other.artifacts.keys() | _contents(other).keys()
    stages: dict[str, list[str]] = defaultdict(list)
    for name in [name for name in one.artifacts if name not in there]:
        stages[name.split("/")[0]].append(name)
    return [named_shortly(names) for names in stages.values()]
