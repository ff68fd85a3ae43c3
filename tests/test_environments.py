"""The pinned environments agree with each other."""

import re
from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).parents[1] / "envs"


def pins(name: str) -> dict[str, str]:
    lines = [line for line in (ENVS / name).read_text().splitlines() if line and line[0] not in "#-"]
    pairs = [re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)", line) for line in lines]
    assert all(pairs), [line for line, pair in zip(lines, pairs, strict=True) if not pair]
    assert len({pair[1].lower() for pair in pairs}) == len(pairs)
    return {pair[1]: pair[2] for pair in pairs}


@pytest.mark.parametrize("name", ["dewpoint", "dewpoint-gpu"])
def test_conda_pins_what_pip_pins(name):
    conda = yaml.safe_load((ENVS / f"{name}.yaml").read_text())
    assert conda["name"] == name
    (pip,) = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    assert dict(pin.split("==") for pin in pip) == pins(f"{name}.txt")


def test_gpu_environments_differ_in_faiss_alone():
    cpu, gpu = pins("dewpoint.txt"), pins("dewpoint-gpu.txt")
    assert cpu.pop("faiss-cpu") == gpu.pop("faiss-gpu")
    assert cpu == gpu


def test_what_is_asked_for_is_in_the_lock():
    assert pins("direct.txt").items() <= pins("dewpoint.txt").items()


def test_the_tests_run_with_what_is_pinned():
    assert (ENVS / "dev.txt").read_text().startswith("-r dewpoint.txt\n")
    assert not pins("dev.txt").keys() & pins("dewpoint.txt").keys()
    assert not pins("rival.txt").keys() & (pins("dev.txt").keys() | pins("dewpoint.txt").keys())
