"""A device is taken once and may be waited for; asking where a model is and what it computes in takes none."""

import pytest
import torch
from torch import nn

from dewpoint import lease
from dewpoint.models import device


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs, as far as torch says; from which ones was taken, each time."""
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(lease, "take_device", lambda names: (taken.append(names), (1, None))[1])
    for name in ("LOCAL_RANK", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    device.take_device.cache_clear()
    yield taken
    device.take_device.cache_clear()


def test_a_device_is_taken_once(gpus):
    assert device.take_device() == device.take_device() == torch.device("cuda", 1)
    assert gpus == [["0", "1"]]


@pytest.mark.parametrize("name", ["LOCAL_RANK", "CUDA_VISIBLE_DEVICES"])
def test_the_schedulers_choice_is_never_overridden(gpus, monkeypatch, name):
    monkeypatch.setenv(name, "0")
    assert device.take_device() == torch.device("cuda", 0) and gpus == []


def test_asking_takes_none(gpus):
    model = nn.Linear(2, 2)
    model.config = type("Config", (), {"hidden_size": 64})
    assert device.device_of(model) == torch.device("cpu")
    assert device.precision_in_use("auto", model) == "float32"  # tiny, on the processor
    with device.precision("bfloat16", model):
        assert torch.is_autocast_enabled("cpu") and not torch.is_autocast_enabled("cuda")
    assert gpus == []
