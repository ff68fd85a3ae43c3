"""The bounds that a field of the grammar says are in force, whatever its type says beside them."""

import ast
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import BaseModel

from dewpoint.study.kind import PACKAGE, TAGS

SAID = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
FILES = [path for folder in (*TAGS, "study") for path in sorted((PACKAGE / folder).glob("*.py"))]


def bounds(path: Path):
    """(class, field, what of the schema, its value) of each bound in a file."""
    module = import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    for node in ast.walk(ast.parse(path.read_text())):
        for line in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(line, ast.AnnAssign) and isinstance(line.value, ast.Call):
                for keyword in line.value.keywords:
                    if keyword.arg in SAID:
                        yield (
                            getattr(module, node.name),
                            line.target.id,
                            SAID[keyword.arg],
                            ast.literal_eval(keyword.value),
                        )


BOUNDS = [bound for path in FILES for bound in bounds(path)]


@pytest.mark.parametrize(("kind", "field", "what", "value"), BOUNDS)
def test_a_bound_holds(kind: type[BaseModel], field: str, what: str, value: float):
    schema = kind.model_json_schema(by_alias=False)
    described = schema.get("$defs", {}).get(kind.__name__, schema)["properties"][field]  # there, if it may hold itself
    numbers = [one for one in (described, *described.get("anyOf", ())) if one.get("type") in ("integer", "number")]
    assert [one.get(what) for one in numbers] == [value]


def test_there_are_such_fields():
    assert {field for _, field, *_ in BOUNDS} >= {"length", "query_length", "passage_length", "M", "dropout", "shards"}
