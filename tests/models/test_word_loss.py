"""The loss over words equals cross entropy, in value and gradient, however few logits are held at once."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from dewpoint.models import vocabulary
from dewpoint.models.vocabulary import word_loss, word_scores
from training.test_exact import WORDS, condenser


@pytest.fixture(params=["bert", "roberta"])
def language_model(request):
    return condenser(request.param, rate=0).language_model


@pytest.mark.parametrize("logits", [1, 5 * WORDS, 2**24])
def test_word_loss_is_cross_entropy(language_model, monkeypatch, logits):
    monkeypatch.setattr(vocabulary, "LOGITS", logits)
    torch.manual_seed(1)
    hidden = torch.randn(23, 16, requires_grad=True)
    targets = torch.randint(0, WORDS, (23,))
    head = language_model.cls if hasattr(language_model, "cls") else language_model.lm_head
    expected = cross_entropy(head(hidden), targets, reduction="none")
    parameters = [hidden, *head.parameters()]
    wanted = torch.autograd.grad((expected.sum() * 0.3) ** 2, parameters, allow_unused=True)

    loss, each = word_loss(language_model, hidden, targets, 0.3)
    torch.testing.assert_close(each, expected, rtol=1e-5, atol=1e-5)
    for got, want in zip(torch.autograd.grad(loss**2, parameters, allow_unused=True), wanted, strict=True):
        assert (got is None) == (want is None)
        if want is not None:
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
    scores, right = word_scores(language_model, hidden, targets)
    torch.testing.assert_close(scores, expected.detach(), rtol=1e-5, atol=1e-5)
    assert torch.equal(right, head(hidden).argmax(-1) == targets)


def test_no_word_is_no_loss(language_model):
    loss, each = word_loss(
        language_model, torch.zeros(0, 16, requires_grad=True), torch.zeros(0, dtype=torch.long), 1.0
    )
    loss.backward()
    assert loss == 0 and len(each) == 0
    assert [
        len(part) for part in word_scores(language_model, torch.zeros(0, 16), torch.zeros(0, dtype=torch.long))
    ] == [0, 0]


def test_bfloat16_is_close_to_float32(language_model):
    torch.manual_seed(1)
    hidden, targets = torch.randn(50, 16), torch.randint(0, WORDS, (50,))
    loss, _ = word_loss(language_model, hidden, targets, 1 / 50)
    with torch.autocast("cpu", torch.bfloat16):
        low, _ = word_loss(language_model, hidden, targets, 1 / 50)
    assert low.item() == pytest.approx(loss.item(), rel=2e-2)
