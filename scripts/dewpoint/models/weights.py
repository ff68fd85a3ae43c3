"""Weights in safetensors: looked at before they are read, written for the same readers as all other files."""

import os
from pathlib import Path

from torch import Tensor

from dewpoint.data.pretrained import inside, read_json
from dewpoint.errors import UserError

FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"  # of weights in several files
PICKLED = ("pytorch_model*.bin", "*.ckpt", "*.pt", "*.pth", "*.pkl")
CONVERT = (
    "only safetensors are read: take a revision that has them (hub:ORG/NAME@refs/pr/N where the hub converted it), or "
    "where you trust it: {}.from_pretrained(FOLDER).save_pretrained(OTHER)"
)


def check_weights(folder: Path, auto: str = "AutoModelForMaskedLM") -> None:
    """Refuse a model's folder without whole weights in safetensors; `auto` is the library's class that reads it."""
    if inside(folder, FILE):
        _check(folder / FILE)
    elif index := inside(folder, INDEX):
        for name in _indexed(index):
            if not inside(folder, name):
                raise UserError(f"{folder}: has no {name}, which {INDEX} names; fetch it again")
            _check(folder / name)
    else:
        pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
        if pickled:
            raise UserError(
                f"{folder}: its weights are pickled ({pickled[0]}), which can run code; {CONVERT.format(auto)}"
            )
        if folder.parent.name == "snapshots":  # of a hub, from which nothing pickled is fetched
            raise UserError(f"{folder}: has no {FILE}, and what else it may have can run code; {CONVERT.format(auto)}")
        raise UserError(f"{folder}: has no {FILE}; name the folder of a model in the Hugging Face format")


def read_tensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    _check(path)
    return load_file(path)


def write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    _share(path)


def write_model(model, folder: Path) -> None:
    """A Hugging Face folder."""
    model.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        _share(path)


def _indexed(index: Path) -> list[str]:
    """The files that an index names."""
    listed = read_json(index)
    names = listed.get("weight_map") if isinstance(listed, dict) else None
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise UserError(f"{index}: damaged, no weight_map in it; fetch it again")
    return sorted(set(names.values()))


def _check(path: Path) -> None:
    """Its header, and that the file is as long as that says."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt"):
            return
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged, not safetensors ({error}); fetch or make it again") from None


def _share(path: Path) -> None:
    """The mode that new files have here; the library writes for the owner alone."""
    mask = os.umask(0o077)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
