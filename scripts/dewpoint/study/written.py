"""YAML that people write, and the one line for what is wrong in it."""

import difflib
import itertools
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from dewpoint.errors import UserError

MERGE = "tag:yaml.org,2002:merge"
DEEPEST = 30  # levels of a study
LARGEST = 1_000_000  # values of a study, those that an alias stands for counted each time
LONGEST = 2**22  # bytes of a file
DIGITS = 40  # of a number
UNNAMEABLE = re.compile(r"[^A-Za-z0-9._-]+")


class Yaml(yaml.SafeLoader):
    """YAML as it is meant: `on` and 1:30 are words, 2e-5 is a number, and a key said twice is a mistake.

    So is what no study has: tags, an alias inside what it stands for, more levels or values than can be meant.
    """

    yaml_implicit_resolvers = {
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if not tag.endswith((":bool", ":float", ":int", ":timestamp", ":value"))
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str):
        super().__init__(stream)
        self.level, self.sizes = 0, {}  # of each finished node, by its id

    def compose_node(self, parent, index):
        event = self.peek_event()
        if getattr(event, "tag", None):
            raise wrong(f"tag {event.tag} is not used here", event)
        if self.level == DEEPEST:
            raise wrong(f"nested more than {DEEPEST} deep", event)
        self.level += 1
        node = super().compose_node(parent, index)
        self.level -= 1
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self.sizes:
                raise wrong(f"*{event.anchor} is inside of what it stands for", event)
            return node
        inside = [] if isinstance(node, yaml.ScalarNode) else node.value
        parts = itertools.chain(*inside) if isinstance(node, yaml.MappingNode) else inside
        self.sizes[id(node)] = 1 + sum(self.sizes[id(part)] for part in parts)
        if self.sizes[id(node)] > LARGEST:
            raise wrong(f"more than {LARGEST:,} values, aliases written out", event)
        return node

    def construct_scalar(self, node):
        text = super().construct_scalar(node)
        if unwanted := UNWANTED.search(text):
            raise wrong(f"character U+{ord(unwanted[0]):04X} cannot be in a text", node)
        if len(text) > DIGITS and node.tag.endswith((":int", ":float")):
            raise wrong(f"a number of {len(text):,} digits", node)
        return text

    def construct_mapping(self, node, deep=False):
        seen = set()
        for node_of_key in (key for key, _ in node.value if key.tag != MERGE):
            key = self.construct_object(node_of_key, True)
            if not isinstance(key, Hashable):
                raise wrong("found unhashable key", node_of_key)
            if key in seen:
                raise wrong(f"key '{key}' twice", node_of_key)
            seen.add(key)
        return super().construct_mapping(node, deep)


def wrong(what: str, where: yaml.Event | yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, what, where.start_mark)


UNWANTED = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")  # control characters, halves
BOOLEAN = re.compile(r"^(true|false)$", re.IGNORECASE)
WHOLE = re.compile(r"^[-+]?(0|[1-9][0-9_]*)$")
NUMBER = re.compile(r"^[-+]?([0-9]+\.?|[0-9]*\.[0-9]+)([eE][-+]?[0-9]+)?$")
Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", BOOLEAN, list("tTfF"))
Yaml.add_implicit_resolver("tag:yaml.org,2002:int", WHOLE, list("-+0123456789"))
Yaml.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+.0123456789"))


def parse(path: Path, loader: type[Yaml] = Yaml) -> Any:
    """What a file holds."""
    try:
        if (size := path.stat().st_size) > LONGEST:
            raise UserError(f"{path}: {size:,} bytes, at most {LONGEST:,}")
        return yaml.load(path.read_text(encoding="utf-8"), loader)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{path}:{mark.line + 1 if mark else 1}: not YAML ({problem})") from None


def nearest(word: str, known: list[str]) -> str:
    """The end of a line about an unknown word: what was meant, or what is known."""
    close = difflib.get_close_matches(word, known, 1, 0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}" if known else ""


def as_text(value: Any) -> str:
    """A value as it stands in a name: [bm25, first] is bm25-first, null is none."""
    if isinstance(value, dict):
        return "-".join(f"{key}-{as_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "-".join(map(as_text, value)) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def in_names(value: Any) -> str:
    """A value of `vary` as it stands in an entry's name: what no name can hold is a hyphen."""
    return UNNAMEABLE.sub("-", as_text(value))
