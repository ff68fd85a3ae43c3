"""What others wrote is text wherever it is shown: in a model's card and its front matter, in a table's cells."""

import json
from types import SimpleNamespace

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from dewpoint.artifact import Artifact
from dewpoint.models.card import card
from dewpoint.study.types import Label, Name, Place

HOSTILE = [
    "`",
    "``",
    "|",
    "a|b`c|",
    "\n---\nlicense: none",
    "\n\n# Title",
    '"\n---\n',
    "</table><script>",
    "{{ x }}",
    "é\u2028|",
]


def made(folder, **settings) -> str:
    artifact = Artifact(folder / "models" / "name" / "manifest.json", {"recipe": "released", **settings})
    artifact.inputs = {f"data/{settings.get('source', '')}/manifest.json": "0" * 64}
    artifact.facts = {"dimension": 16}
    return card(artifact, SimpleNamespace(**{"title": "pair", "source": "study", **settings}), None)


def cells(row: str) -> list[str]:
    """Of a row of a table, as Markdown has them: a bar that is escaped is text."""
    return row.replace("\\|", "\0").strip("|").split("|")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_prefix_stays_in_its_cell(tmp_path, text):
    plain, hostile = (made(tmp_path, query_prefix=prefix).split("\n") for prefix in ("q", text))
    assert len(plain) == len(hostile)
    (row,) = [line for line in hostile if line.startswith("| query_prefix |")]
    assert len(cells(row)) == 2
    code = cells(row)[1].strip()
    fence = len(code) - len(code.lstrip("`"))
    assert code.endswith("`" * fence) and "`" * fence not in code[fence:-fence].strip()
    assert json.loads(code[fence:-fence].strip().replace("\0", "|")) == text


@pytest.mark.parametrize("text", [*HOSTILE, ": x", "[a, b]", "!!python/object/apply:os.system [x]", "&a *a", "no"])
def test_front_matter_is_what_was_meant(tmp_path, text):
    lines = made(tmp_path, source=f"org/{text}@main").split("\n")
    head = "\n".join(lines[1 : lines.index("---", 1)])
    told = yaml.safe_load(head)
    assert set(told) == {"library_name", "pipeline_tag", "tags", "base_model"}
    assert told["base_model"] == f"org/{text}"


@pytest.mark.parametrize("first", "=+-@\t\r")
def test_a_name_begins_no_formula(first):
    """Cells of a table's CSV are names, numbers, and sentences of ours; so no spreadsheet takes one for a formula."""
    for kind in (Name, Label):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(f"{first}cmd")
    with pytest.raises(ValidationError):
        TypeAdapter(Place).validate_python(f"{first}cmd|x!A1/y")
