"""Losses equal their equations, summed in plain Python."""

import math
from types import SimpleNamespace

import torch

from dewpoint.losses import binary, contrast
from dewpoint.training.pretraining import Spans


def test_contrast_is_its_equation():
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
    known = {"targets": targets, "masked": masked}
    loss = contrast.work(queries @ passages.T, known, SimpleNamespace(temperature=0.7))
    assert math.isclose(loss.item(), sum(terms) / 3, rel_tol=1e-5)


def test_a_masked_passage_has_no_influence():
    torch.manual_seed(0)
    queries, passages = torch.randn(2, 4), torch.randn(4, 4, requires_grad=True)
    masked = torch.tensor([[False, False, True, False], [False, False, True, False]])
    known = {"targets": torch.tensor([0, 1]), "masked": masked}
    contrast.work(queries @ passages.T, known, SimpleNamespace(temperature=1.0)).backward()
    assert passages.grad[2].abs().sum() == 0
    assert passages.grad[3].abs().sum() > 0


def test_contrast_between_spans_is_its_equation():
    torch.manual_seed(0)
    spans = torch.randn(6, 4)
    terms = []
    for i in range(6):
        sibling = i + 1 if i % 2 == 0 else i - 1
        scores = {j: math.exp(float(spans[i] @ spans[j]) / 2) for j in range(6) if j != i}
        terms.append(-math.log(scores[sibling] / sum(scores.values())))
    loss = Spans(contrast.work, SimpleNamespace(temperature=2.0))(spans)
    assert math.isclose(loss.item(), sum(terms) / 6, rel_tol=1e-5)


def test_binary_is_its_equation():
    torch.manual_seed(0)
    scores, targets = 3 * torch.randn(3, 7), torch.tensor([0, 2, 5])
    masked = torch.zeros(3, 7, dtype=torch.bool)
    masked[0, 3] = masked[2, 0] = masked[2, 1] = True
    rows = []
    for i in range(3):
        terms = []
        for j in range(7):
            chance = 1 / (1 + math.exp(-float(scores[i, j])))
            if not masked[i, j]:
                terms.append(-math.log(chance if j == targets[i] else 1 - chance))
        rows.append(sum(terms) / len(terms))
    loss = binary.work(scores, {"targets": targets, "masked": masked}, SimpleNamespace())
    assert math.isclose(loss.item(), sum(rows) / 3, rel_tol=1e-5)
