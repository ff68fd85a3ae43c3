"""What many of these tests start from: a tiny model's folder, and the same as a hub's model in a local cache."""

import json
import shutil
from pathlib import Path

import pytest

from dewpoint.data import pretrained
from models.families import make

COMMITS = ("1" * 40, "2" * 40)


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Path:
    """A model's folder, to be left as it is."""
    return make("bert", tmp_path_factory.mktemp("made") / "bert")


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """A model's folder, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


@pytest.fixture
def hub(whole, tmp_path, monkeypatch):
    """A cache as huggingface_hub lays it out, of a hub that cannot be reached: org/tiny in two commits, the first with
    other words. Returns the folder of the cache."""
    cache = tmp_path / "hub"
    kept = cache / "models--org--tiny"
    for commit in COMMITS:
        snapshot = kept / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for path in whole.iterdir():
            content = path.read_bytes()
            if path.name == "config.json" and commit == COMMITS[0]:
                content = json.dumps(json.loads(content) | {"hidden_act": "relu"}).encode()
            blob = kept / "blobs" / f"{commit[0]}-{path.name}"
            blob.parent.mkdir(exist_ok=True)
            blob.write_bytes(content)
            (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(COMMITS[1])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pretrained._snapshot.cache_clear()
    yield cache
    pretrained._snapshot.cache_clear()
