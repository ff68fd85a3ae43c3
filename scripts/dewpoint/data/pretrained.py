"""Folders of models that others may have made: found, looked through, and nothing in them run.

A hub's model is its snapshot in the local cache, a folder like any other. Refused is what would run code from a folder,
read outside it, or be guessed for what is missing. The library is told to trust nothing as well.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from dewpoint.errors import UserError

PART = "[A-Za-z0-9][A-Za-z0-9._-]*"
HUB = re.compile(rf"(?P<name>{PART}(/{PART})?)(@(?P<revision>\w[\w./-]*))?", re.ASCII)
OF_THE_STUDY = ("scratch", "study")  # what settings say of a source that is none of others
WANTED = ["*.json", "*.txt", "*.model", "*.safetensors"]
UNWANTED = ["onnx/*", "openvino/*", "*.onnx_data", "coreml/*"]
TRUSTED = "sentence_transformers."  # where modules of retrievers come from; they are read here, not imported
WORDS = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken")  # a tokenizer's words, one of these
LOCAL = {"trust_remote_code": False, "local_files_only": True}  # for the library's from_pretrained


def located(source: str | Path) -> Path:
    """The folder of a model, itself or a hub's snapshot, after a look at what lies in it."""
    folder = Path(source) if is_folder(source) else _snapshot(str(source))
    for entry in folder.iterdir():
        if not entry.is_dir():
            inside(folder, entry.name)
    _refuse_code(folder)
    return folder


def revisions(**sources: str | None) -> dict[str, str]:
    """The commits of those sources that are a hub's, each under its key: what a hub holds may change."""
    names = {key: source for key, source in sources.items() if source and source not in OF_THE_STUDY}
    return {key: _snapshot(source).name for key, source in names.items() if not is_folder(source)}


def is_folder(source: str | Path) -> bool:
    """Whether a source is a folder here, which it is before it is a hub's."""
    return source != "" and Path(source).is_dir()


def hub_name(source: str) -> str:
    """A hub's model without its revision."""
    return source.partition("@")[0]


def inside(folder: Path, name: str) -> Path | None:
    """The file of a name in a folder, or None; one that lies elsewhere is refused.

    A snapshot's files are links to the `blobs` of its cache, which go with it.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(f"{folder}: names '{name}', a file outside of it; only files of the folder are read")
    path = folder / name
    if path.is_symlink() or path.exists():
        real, home = path.resolve(), folder.resolve()
        homes = [home, *([home.parents[1] / "blobs"] if home.parent.name == "snapshots" else [])]
        if not any(real.is_relative_to(one) for one in homes):
            raise UserError(f"{path}: a link that leads outside, to {real}; put the file itself there")
        if not path.is_file():
            raise UserError(f"{path}: no file, or a link that leads nowhere; put the file itself there")
        return path
    return None


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged, not JSON ({error}); fetch it again") from None


def in_a_line(source: str | Path, what: str, error: Exception) -> UserError:
    """What the library could not do with a folder; its messages go over many lines."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    return UserError(f"{source}: no {what} could be loaded ({said[0]})")


def check_words(folder: Path) -> None:
    """Refuse a folder without a tokenizer's words: the library would make up a tokenizer that knows none."""
    path = inside(folder, "tokenizer_config.json")
    if path and _mapping(path).get("backend") == "tokenizers" and not inside(folder, "tokenizer.json"):
        raise UserError(f"{folder}: has no tokenizer.json, which its tokenizer_config.json is about; fetch it again")
    if not any(found for pattern in WORDS for found in folder.glob(pattern)):
        raise UserError(f"{folder}: has no tokenizer.json; a model's folder needs the tokenizer that goes with it")


# --- the hub ------------------------------------------------------------------------------------


@cache
def _snapshot(source: str) -> Path:
    """A hub's model in the local cache, fetched where it is not there; `name@revision` is that and no other."""
    named = HUB.fullmatch(source)
    if not named or ".." in source:
        raise UserError(f"{source}: no folder, and no model of a hub, which is ORG/NAME or ORG/NAME@REVISION")
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    try:
        folder = snapshot_download(
            named["name"], revision=named["revision"], allow_patterns=WANTED, ignore_patterns=UNWANTED
        )
    except Exception as error:  # of the network, the hub, the cache
        raise in_a_line(source, "model", error) from None
    return Path(folder)


# --- code ---------------------------------------------------------------------------------------


def _refuse_code(folder: Path) -> None:
    """Refuse what names code: the folder's own, another repository's, or any that is no library's."""
    for name in ("config.json", "tokenizer_config.json"):
        if path := inside(folder, name):
            _check_config(path, _mapping(path))
    for name in ("modules.json", "router_config.json"):
        if path := inside(folder, name):
            for kind in _types(path, read_json(path)):
                if not kind.startswith(TRUSTED):
                    raise UserError(f"{path}: names {kind}, code that is not sentence_transformers'; none else is run")


def _check_config(path: Path, config: dict[str, Any]) -> None:
    told = "no code from a model's folder is run; take a model of a class that transformers has"
    if _mentions(config, "auto_map"):
        raise UserError(f"{path}: has auto_map, which names code of its own; {told}")
    if any("/" in str(value) for key in ("attn", "_attn") for value in _values(config, f"{key}_implementation")):
        raise UserError(f"{path}: attn_implementation names code from a hub; {told}")
    for kind in filter(None, _values(config, "tokenizer_class")):
        import transformers

        if not (isinstance(kind, str) and hasattr(transformers, kind)):
            raise UserError(f"{path}: tokenizer_class {kind!r} is none of transformers'; {told}")


def _types(path: Path, listed: Any) -> list[str]:
    """The classes in a modules.json, a list, or a router_config.json, whose `types` are by folder."""
    try:
        kinds = [module["type"] for module in listed] if isinstance(listed, list) else [*listed["types"].values()]
    except (TypeError, KeyError, AttributeError):
        kinds = [None]
    if not all(isinstance(kind, str) for kind in kinds):
        raise UserError(f"{path}: damaged, its modules have no types; fetch it again")
    return kinds


def _mapping(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path}: damaged, expected keys with values; fetch it again")
    return value


def _mentions(config: Any, key: str) -> bool:
    return any(value is not None for value in _values(config, key))


def _values(config: Any, key: str) -> list[Any]:
    """What a key has wherever it stands in a configuration, those of its parts included."""
    parts = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    found = [config[key]] if isinstance(config, dict) and key in config else []
    return found + [value for part in parts for value in _values(part, key)]
