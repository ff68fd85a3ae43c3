"""Max-sim equals a triple loop, and its gradient is a finite difference, whatever is held at once."""

import pytest
import torch

from dewpoint.models import max_sim as module
from dewpoint.models.max_sim import max_sim

QUERIES, PASSAGES = torch.tensor([3, 1, 4]), torch.tensor([2, 5, 1, 3])


def vectors(seed: int = 1, type=torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(int(of.sum()), 6, generator=made, dtype=type) for of in (QUERIES, PASSAGES))


def slow(queries, passages) -> torch.Tensor:
    mine, theirs = queries.split(QUERIES.tolist()), passages.split(PASSAGES.tolist())
    return torch.stack([torch.stack([sum(max(a @ b for b in p) for a in q) for p in theirs]) for q in mine])


@pytest.fixture(params=[1, 40, 2**25], ids=lambda held: f"{held} held")
def held(request, monkeypatch):
    monkeypatch.setattr(module, "HELD", request.param)


def test_it_equals_a_triple_loop(held):
    queries, passages = vectors()
    torch.testing.assert_close(max_sim(queries, QUERIES, passages, PASSAGES), slow(queries, passages))


def test_its_gradient_is_a_finite_difference(held):
    mine = [one.requires_grad_() for one in vectors()]
    assert torch.autograd.gradcheck(lambda q, p: max_sim(q, QUERIES, p, PASSAGES), mine)
    theirs = [one.requires_grad_() for one in vectors()]
    (max_sim(mine[0], QUERIES, mine[1], PASSAGES) ** 2).sum().backward()
    (slow(*theirs) ** 2).sum().backward()
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_padding_has_no_part():
    """All products are negative, so that zeros, which padding would give, were the largest."""
    queries, passages = -torch.ones(8, 6), torch.ones(11, 6)
    found = max_sim(queries, QUERIES, passages, PASSAGES)
    torch.testing.assert_close(found, -6.0 * QUERIES[:, None].float().expand(3, 4))
