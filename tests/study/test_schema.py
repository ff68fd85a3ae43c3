"""The JSON schema in docs/ is the grammar's, and accepts the studies that the grammar accepts."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from dewpoint.study.grammar import schema
from dewpoint.study.load import load_study
from dewpoint.study.written import Yaml

ROOT = Path(__file__).parents[2]
STUDIES = sorted(ROOT.glob("studies/*.yaml"))


def written(path: Path) -> dict:
    return yaml.load(path.read_text(), Yaml)


def test_the_file_is_the_grammar():
    assert json.loads((ROOT / "docs" / "study.schema.json").read_text()) == schema(), "run `make schema`"


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_studies_are_valid_for_both(path):
    jsonschema.validate(written(path), schema())
    assert load_study(path).tables
