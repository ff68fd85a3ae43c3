"""Where a model computes, and in what precision."""

import ctypes
import os
from contextlib import suppress
from functools import cache

import torch
from torch import nn

from dewpoint import lease
from dewpoint.models import parts

PAYS_FROM = 128  # hidden size
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt


@cache
def take_device() -> torch.device:
    """This process's device, from now on: the GPU that the scheduler chose, or one that is free; the CPU without any.

    It may wait for a GPU, so a program asks for it where it starts to work; where a model is, `device_of` says.
    """
    if not torch.cuda.is_available():
        _keep_memory()
        return torch.device("cpu")
    if "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    visible = lease.named_gpus() or []
    if len(visible) == 1 or "SLURM_JOB_ID" in os.environ:
        return torch.device("cuda", 0)
    number, _ = lease.take_device(visible or list(map(str, range(torch.cuda.device_count()))))
    return torch.device("cuda", number)


def _keep_memory() -> None:
    """Let the C library keep the memory of freed tensors: to ask the system anew costs a third of the time."""
    with suppress(AttributeError, OSError):  # another C library than GNU's
        options = ctypes.CDLL(None).mallopt
        options(M_MMAP_MAX, 0)
        options(M_TRIM_THRESHOLD, 2**31 - 1)


def compute_alike(threads: int) -> None:
    """The same sums in the same order each time: on a processor by so many threads, even where there are fewer cores,
    on a GPU by those kernels that keep an order."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(torch.cuda.is_available())


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def halve(model: nn.Module) -> None:
    """Weights in bfloat16; buffers stay as they are, for positions are told apart by frequencies in float32."""
    for weights in model.parameters():
        weights.data = weights.data.to(torch.bfloat16)


def precision(name: str, model) -> torch.autocast:
    """Autocast for a forward pass, when `precision_in_use` is bfloat16; weights and optimizer stay in float32."""
    return torch.autocast(device_of(model).type, torch.bfloat16, enabled=precision_in_use(name, model) == "bfloat16")


def precision_in_use(name: str, model) -> str:
    """What `auto` comes to: bfloat16 on a GPU, and on a processor that multiplies in it unless the model is tiny."""
    if name != "auto":
        return name
    multiplies = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    pays = device_of(model).type == "cuda" or (multiplies and parts.width(model.config) >= PAYS_FROM)
    return "bfloat16" if pays else "float32"
