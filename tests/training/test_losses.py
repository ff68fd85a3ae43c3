"""Losses equal their equations, summed in plain Python."""

import math

import torch
from dewpoint.training.losses import ranking_loss, span_loss


def test_ranking_loss_is_its_equation():
    torch.manual_seed(0)
    queries, passages = torch.randn(3, 4), torch.randn(7, 4)
    targets = torch.tensor([0, 2, 5])
    masked = torch.zeros(3, 7, dtype=torch.bool)
    masked[0, 3] = masked[2, 0] = True
    terms = []
    for i in range(3):
        scores = [math.exp(float(queries[i] @ passages[j]) / 0.7) for j in range(7)]
        rest = sum(score for j, score in enumerate(scores) if not masked[i, j])
        terms.append(-math.log(scores[targets[i]] / rest))
    assert math.isclose(ranking_loss(queries, passages, targets, masked, 0.7).item(), sum(terms) / 3, rel_tol=1e-5)


def test_a_masked_passage_has_no_influence():
    torch.manual_seed(0)
    queries, passages = torch.randn(2, 4), torch.randn(4, 4, requires_grad=True)
    masked = torch.tensor([[False, False, True, False], [False, False, True, False]])
    ranking_loss(queries, passages, torch.tensor([0, 1]), masked).backward()
    assert passages.grad[2].abs().sum() == 0
    assert passages.grad[3].abs().sum() > 0


def test_span_loss_is_its_equation():
    torch.manual_seed(0)
    spans = torch.randn(6, 4)
    terms = []
    for i in range(6):
        sibling = i + 1 if i % 2 == 0 else i - 1
        scores = {j: math.exp(float(spans[i] @ spans[j]) / 2) for j in range(6) if j != i}
        terms.append(-math.log(scores[sibling] / sum(scores.values())))
    assert math.isclose(span_loss(spans, 2.0).item(), sum(terms) / 6, rel_tol=1e-5)
