"""Settings as they took effect: from manifests, in words, and what entries of one kind share put together."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dewpoint.report.words import plain

NOT_SAID = ("recipe", "architecture", "source", "query_source", "split")  # what stands elsewhere on the page


@dataclass(frozen=True)
class Group:
    """Entries of one kind: what they share, and where they differ."""

    kind: str
    shared: dict[str, str]
    differing: list[str]
    entries: dict[str, list[str]]  # what differs


def grouped(entries: dict[str, tuple[str, dict[str, str]]]) -> list[Group]:
    """Name → (kind, settings), one group a kind."""
    of_kinds: dict[str, dict[str, dict[str, str]]] = {}
    for name, (kind, settings) in entries.items():
        of_kinds.setdefault(kind, {})[name] = settings
    return [_group(kind, of) for kind, of in of_kinds.items()]


def _group(kind: str, entries: dict[str, dict[str, str]]) -> Group:
    keys = dict.fromkeys(key for settings in entries.values() for key in settings)
    values = {key: [settings.get(key, "–") for settings in entries.values()] for key in keys}
    shared = {key: value[0] for key, value in values.items() if len(set(value)) == 1}
    differing = [key for key in keys if key not in shared]
    rows = {name: [settings.get(key, "–") for key in differing] for name, settings in entries.items()}
    return Group(kind, shared, differing, rows)


def of_model(manifest: dict[str, Any], sources: dict[str, str]) -> dict[str, str]:
    """What it was trained with; in place of what was left to the device what was chosen there, and its `sources`."""
    facts, settings = manifest["facts"], manifest["settings"]
    flat = {key: value for key, value in settings.items() if key not in NOT_SAID}
    flat |= settings.get("architecture") or {}
    flat |= {"precision": facts["precision"]} if "precision" in facts else {}
    begins = {key.replace("_", " "): from_words(source, facts) for key, source in sources.items()}
    return begins | {key: plain(value) for key, value in flat.items() if value is not None}


def from_words(source: str, facts: dict[str, Any]) -> str:
    """What a model is made from: another one, a release with its revision, or nothing."""
    revision = facts.get("revision") if source.startswith("hub:") and "@" not in source else None
    return f"{source} at {revision[:12]}" if revision else source


def of_ranker(manifests: Iterable[dict[str, Any]]) -> dict[str, str]:
    """What it was built and asked with; more than one value where its runs differ."""
    found: dict[str, dict[str, None]] = {}
    for manifest in manifests:
        for key, value in manifest["settings"].items():
            if key not in NOT_SAID and value is not None:
                found.setdefault(key, {})[plain(value)] = None
    return {key: ", or ".join(values) for key, values in found.items()}
