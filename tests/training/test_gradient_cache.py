"""The cache changes where memory goes, never the gradient."""

from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from dewpoint.losses import contrast
from dewpoint.models.dropout import install, keyed
from dewpoint.training import gradient_cache
from dewpoint.training.chunks import Batch
from dewpoint.training.pretraining import Spans

ROWS = 10
SPANS = Spans(contrast.work, SimpleNamespace(temperature=1.0))


class Part(NamedTuple):
    rows: Tensor
    inputs: Tensor


def gradients(size: int, once: bool, dropout: float, order: Tensor) -> tuple[float, list[Tensor], int]:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 4))
    install(model)
    inputs, encodings = torch.randn(ROWS, 6), 0

    def encode(part, whole):
        nonlocal encodings
        encodings += 1
        with keyed(model, part.rows.to(torch.int32)):
            vectors = model(part.inputs)
        return vectors, (vectors**2).sum() / ROWS if whole else None

    parts = [Part(rows, inputs[rows]) for rows in order.split(size)]
    value = gradient_cache.backward(Batch(ROWS, parts, once), encode, 4, SPANS)
    return value, [parameter.grad for parameter in model.parameters()], encodings


@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("once", [True, False])
def test_any_chunks_in_any_order_equal_one_graph(size, dropout, once):
    expected, whole, _ = gradients(ROWS, True, dropout, torch.arange(ROWS))
    value, chunked, encodings = gradients(size, once, dropout, torch.randperm(ROWS))
    assert value == pytest.approx(expected, rel=1e-5)
    for got, want in zip(chunked, whole, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)
    assert encodings == -(-ROWS // size) * (1 if once else 2)
