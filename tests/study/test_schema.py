"""The JSON schemas and the list of kinds in docs/ are the grammar's; the schemas accept what the grammar accepts."""

import json
import subprocess
import sys
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


def printed(*of: str, by: str = "schema") -> str:
    """What scripts/schema.py prints, or another of them."""
    command = [sys.executable, ROOT / "scripts" / f"{by}.py", *of]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("of", ["study", "config"])
def test_the_file_is_the_grammar(of):
    assert (ROOT / "docs" / f"{of}.schema.json").read_text() == printed(of), "run `make schema`"


def test_the_list_of_kinds_is_that_of_the_modules():
    assert (ROOT / "docs" / "kinds.md").read_text() == printed(by="kinds"), "run `make schema`"


def test_config_yaml_says_every_key_as_the_grammar_does():
    """Each key stands there with its default, so that who reads it knows them all."""
    config, known = written(ROOT / "config.yaml"), json.loads(printed("config"))
    jsonschema.validate(config, known)
    assert config == {key: one["default"] for key, one in known["properties"].items()}


@pytest.mark.parametrize("mistake", [{"shards": 0}, {"precision": "float16"}, {"stduy": "x.yaml"}, {"mirrors": ["x"]}])
def test_mistakes_in_the_config_are_invalid(mistake):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(mistake, json.loads(printed("config")))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_studies_are_valid_for_both(path):
    jsonschema.validate(written(path), schema())
    assert load_study(path).tables
