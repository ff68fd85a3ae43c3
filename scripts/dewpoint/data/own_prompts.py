"""The prompts of retrievers that others trained: what sentence-transformers puts before texts, by a model's own files.

A study says what texts begin with, and is read before a hub's files are there. So a prompt that the study does not say
is refused, with the line to write, and never left out in silence.
"""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from dewpoint.data.pretrained import inside, located, read_json
from dewpoint.errors import UserError

log = logging.getLogger(__name__)

FILE = "config_sentence_transformers.json"
NAMES = {"query": ("query",), "passage": ("document", "passage", "corpus")}  # of prompts, by side; the first counts
CHECKED, IGNORED = "checked", "ignored"


class Prompts(NamedTuple):
    query: str
    passage: str
    others: list[str]  # names of prompts that are for other tasks


def own_prompts(folder: Path) -> Prompts:
    """Those that a folder's files name; empty where there are none."""
    path = inside(folder, FILE)
    config = read_json(path) if path else {}
    found = (config.get("prompts") or {}) if isinstance(config, dict) else None
    if not isinstance(found, dict) or not all(isinstance(text, str | None) for text in found.values()):
        raise UserError(f"{path}: damaged, its prompts are no texts by name; fetch it again")
    usual = config.get("default_prompt_name")
    sides = {}
    for side, names in NAMES.items():
        taken = any(usual in others for other, others in NAMES.items() if other != side)
        given = [name for name in names if found.get(name) is not None]
        sides[side] = found[given[0]] if given else "" if taken else found.get(usual) or ""
    known = {usual, *(name for names in NAMES.values() for name in names)}
    return Prompts(**sides, others=[name for name, text in found.items() if text and name not in known])


def unsaid(own: Prompts, said: Any, sides: tuple[str, ...] = ("query", "passage")) -> str | None:
    """What is wrong where a model has a prompt, and what is said of its texts has none; in the words of a study."""
    lines = [
        f"{side}_prefix: {json.dumps(getattr(own, side), ensure_ascii=False)}"
        for side in sides
        if getattr(own, side) and not getattr(said, f"{side}_prefix")
    ]
    return f"texts begin with prompts there; write {', '.join(lines)}, or prompts: {IGNORED}" if lines else None


def check_prompts(settings) -> None:
    """Refuse prompts of a folder or hub id that the settings of a retriever leave out; other ones are warned of."""
    if getattr(settings, "prompts", CHECKED) == IGNORED:
        return
    for source, sides in sources(settings.source, settings.query_source).items():
        own = own_prompts(located(source))
        if wrong := unsaid(own, settings, sides):
            raise UserError(f"{source}: {wrong}")
        other = [side for side in sides if getattr(own, side) not in ("", getattr(settings, f"{side}_prefix"))]
        for side in other:
            log.warning("warning: %s begins a %s with %r, this study does not", source, side, getattr(own, side))
        if own.others and not any(getattr(settings, f"{side}_prefix") for side in sides):
            told = (
                "warning: %s has prompts, by their names none for queries or passages; say query_prefix if one fits: %r"
            )
            log.warning(told, source, own.others)


def sources(source: str, query_source: str | None) -> dict[str, tuple[str, ...]]:
    """Where the sides of a retriever are from, less what is of the study."""
    if not query_source or query_source == source:
        found = {source: ("query", "passage")}
    else:
        found = {source: ("passage",), query_source: ("query",)}
    return {place: sides for place, sides in found.items() if place not in ("study", "scratch")}
