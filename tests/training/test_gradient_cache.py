"""The cache changes where memory goes, never the gradient."""

import pytest
import torch
from torch import nn

from dewpoint.training import gradient_cache
from dewpoint.training.losses import span_loss

ROWS = 10


def gradients(chunk: int, cached: bool, dropout: float) -> tuple[float, list[torch.Tensor]]:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 4))
    inputs = torch.randn(ROWS, 6)

    def encode(rows, whole):
        vectors = model(rows)
        return vectors, (vectors**2).sum() / ROWS if whole else None

    value = gradient_cache.backward(inputs.split(chunk), encode, span_loss, seed=11, cached=cached)
    return value, [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("chunk", [1, 3, 10])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_cached_equals_one_graph(chunk, dropout):
    value, cached = gradients(chunk, True, dropout)
    expected, whole = gradients(chunk, False, dropout)
    assert value == pytest.approx(expected, rel=1e-5)
    for got, want in zip(cached, whole, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)


def test_chunks_do_not_matter_without_dropout():
    value, whole = gradients(ROWS, False, 0.0)
    for chunk in (1, 3, 4):
        other, chunked = gradients(chunk, True, 0.0)
        assert other == pytest.approx(value, rel=1e-5)
        for got, want in zip(chunked, whole, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)
