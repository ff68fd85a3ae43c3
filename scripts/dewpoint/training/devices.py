"""Several devices: one process each, as torchrun starts them. Every process works on its share of a step's rows.

Gradients are summed, not averaged: each loss is divided by what the whole batch holds, so the sum is the gradient that
one device would have found. With one process every function here does nothing.
"""

import os
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

RANK, WORLD = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
LEADS = RANK == 0  # writes what is to be kept


@contextmanager
def joined(device: torch.device):
    """The processes of a training, connected."""
    if WORLD == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def summed(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if WORLD > 1:
        dist.all_reduce(value)
    return value


def sum_gradients(model: nn.Module) -> None:
    """Every parameter's gradient, summed over all processes; a process without rows adds nothing."""
    if WORLD == 1:
        return
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([parameter.grad.flatten() for parameter in parameters])
    dist.all_reduce(flat)
    for parameter, gradient in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        parameter.grad.copy_(gradient.view_as(parameter))
