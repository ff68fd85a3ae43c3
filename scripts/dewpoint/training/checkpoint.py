"""Checkpoints without pickle: tensors in safetensors, the step in JSON, renamed into place at once."""

import json
import logging
import os
import shutil
from collections import defaultdict
from pathlib import Path

import torch
from torch import nn

from dewpoint.notes import digest

log = logging.getLogger(__name__)


def save_checkpoint(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    from safetensors.torch import save_file

    partial = _partial(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    tensors = {}
    for name, parameter in model.named_parameters():
        tensors[f"model.{name}"] = parameter.detach().contiguous()
        for part, value in optimizer.state[parameter].items():
            tensors[f"{part}.{name}"] = value.contiguous()
    save_file(tensors, partial / "tensors.safetensors")
    state = {"step": step, "sha256": digest(partial / "tensors.safetensors")}
    (partial / "state.json").write_text(json.dumps(state))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The step to go on with; 0 when there is no checkpoint."""
    from safetensors.torch import load_file

    if not folder.exists() and (_partial(folder) / "state.json").exists():
        os.replace(_partial(folder), folder)  # killed between removing the old one and renaming the new one
    if not folder.exists():
        return 0
    try:
        state = json.loads((folder / "state.json").read_text())
        whole = state["sha256"] == digest(folder / "tensors.safetensors")
    except (OSError, ValueError):
        whole = False
    if not whole:
        log.warning("%s: damaged; training begins anew", folder)
        return 0
    parts: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    for key, tensor in load_file(folder / "tensors.safetensors").items():
        part, name = key.split(".", 1)
        parts[name][part] = tensor
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(parts[name].pop("model"))
            optimizer.state[parameter] = {part: tensor.to(parameter.device) for part, tensor in parts[name].items()}
    return state["step"]


def save_weights(path: Path, model: nn.Module) -> None:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().contiguous() for name, value in model.named_parameters()}, _partial(path))
    os.replace(_partial(path), path)


@torch.no_grad()
def load_weights(path: Path, model: nn.Module) -> None:
    from safetensors.torch import load_file

    for name, tensor in load_file(path).items():
        model.get_parameter(name).copy_(tensor)


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")
