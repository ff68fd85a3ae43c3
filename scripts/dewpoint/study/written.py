"""YAML that people write, and the one line for what is wrong in it."""

import difflib
import re
from pathlib import Path
from typing import Any

import yaml

from dewpoint.errors import UserError

MERGE = "tag:yaml.org,2002:merge"


class Yaml(yaml.SafeLoader):
    """YAML as it is meant: `on` is a word, 2e-5 is a number, and a key said twice is a mistake."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":float"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node, deep=False):
        seen = []
        for node_of_key in (key for key, _ in node.value if key.tag != MERGE):
            key = self.construct_object(node_of_key, deep)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key '{key}' twice", node_of_key.start_mark)
            seen.append(key)
        return super().construct_mapping(node, deep)


BOOLEAN = re.compile(r"^(true|false)$", re.IGNORECASE)
NUMBER = re.compile(r"^[-+]?([0-9]+\.?|[0-9]*\.[0-9]+)([eE][-+]?[0-9]+)?$")
Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", BOOLEAN, list("tTfF"))
Yaml.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+.0123456789"))


def parse(path: Path, loader: type[Yaml] = Yaml) -> Any:
    """What a file holds."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), loader)
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
