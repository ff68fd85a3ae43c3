"""Pre-training is what the papers define: equal to a plain implementation, in any chunks, on any number of devices."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import plain
from dewpoint.data.lots import keys
from dewpoint.data.masking import WordMasker
from dewpoint.data.tokens import Slices
from dewpoint.losses import contrast
from dewpoint.models import dropout
from dewpoint.models.backbone import from_scratch
from dewpoint.models.condenser import Condenser, Pretrained
from dewpoint.training.chunks import batch, chunks
from dewpoint.training.pretraining import Objective, Spans

WORDS, LENGTH, ROWS = 60, 24, 10
SPECIAL = {"pad": 0, "cls": 2, "sep": 3, "mask": 4}
ROBERTA = {"cls": 0, "pad": 1, "sep": 2, "mask": 4}
SEED, STEP = 7, 3
SPANS = Spans(contrast.work, SimpleNamespace(temperature=1.0))


def condenser(family: str = "bert", rate: float = 0.1, late_mlm: bool = True, heads: int = 2) -> Condenser:
    shape = {"layers": 3, "hidden": 16, "heads": heads, "intermediate": 24, "positions": 64, "dropout": rate}
    torch.manual_seed(0)
    pad = (SPECIAL if family == "bert" else ROBERTA)["pad"]
    language_model = from_scratch(SimpleNamespace(family=family, **shape), WORDS, pad)
    model = Condenser(language_model, early_layers=1, head_layers=2, late_mlm=late_mlm)
    with torch.no_grad():
        for parameter in model.parameters():  # so that biases and norms count
            parameter += 0.1 * torch.randn_like(parameter)
        language_model.base_model.embeddings.word_embeddings.weight[pad] = 0
    return installed(model)


def installed(model: Pretrained) -> Pretrained:
    dropout.install(model, model.language_model)
    return model.train()


def texts() -> list[Slices]:
    random = np.random.default_rng(1)
    counts = np.array([22, 3, 9, 22, 15, 1, 20, 7, 22, 12])
    values = random.integers(5, WORDS, counts.sum())
    return [Slices(values, np.cumsum(counts) - counts, counts)]


def made(size: int, special=SPECIAL, budget: int = 1):
    """The batch in chunks of `size` rows; more than one are not held together."""
    masker = WordMasker(special, np.arange(WORDS) % 3 == 0)
    parts = chunks(texts(), special, 10**6, SEED, STEP, masker=masker)
    (whole,) = parts
    order = torch.argsort(whole.rows) if size == ROWS else torch.arange(ROWS)
    cut = [order[first : first + size] for first in range(0, ROWS, size)]
    return batch(ROWS, [narrow(whole, rows) for rows in cut], budget)


def narrow(chunk, rows):
    """Some rows of a chunk, without the padding that only the others need."""
    width = int(chunk.mask[rows].sum(1).max())
    labels = torch.full_like(chunk.ids, plain.IGNORED).flatten()
    labels[chunk.at] = chunk.targets
    labels = labels.view_as(chunk.ids)[rows, :width].flatten()
    at = torch.nonzero(labels != plain.IGNORED)[:, 0]
    return type(chunk)(
        chunk.rows[rows], chunk.keys[rows], chunk.ids[rows, :width], chunk.mask[rows, :width], at, labels[at]
    )


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert found
    return found


def run(model: Condenser, parts, spans: bool) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    model.zero_grad(set_to_none=True)
    objective = Objective(model, SimpleNamespace(precision="float32"), SPANS if spans else None)
    return objective(parts), gradients(model)


def assert_close(got: dict[str, torch.Tensor], want: dict[str, torch.Tensor], tolerance: float = 1e-5) -> None:
    """The difference is small beside what each gradient should be.

    A key's bias moves all scores of a row alike, so its gradient is rounding error around zero; hence the floor.
    """
    assert got.keys() == want.keys()
    floor = 1e-2 * max(float(expected.norm()) for expected in want.values())
    for name, expected in want.items():
        error = float((got[name] - expected).norm()) / max(float(expected.norm()), floor)
        assert error < tolerance, f"{name}: relative error {error}"


def plain_rows(special) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Row by row: (ids, mask, labels) of full length, labels where something was masked."""
    source = texts()[0]
    random_keys = keys(SEED, STEP, np.arange(ROWS))
    ids = np.full((ROWS, LENGTH), special["pad"])
    for row in range(ROWS):
        tokens = source.values[source.starts[row] : source.starts[row] + source.counts[row]]
        ids[row, : len(tokens) + 2] = [special["cls"], *tokens, special["sep"]]
    masked, where = WordMasker(special, np.arange(WORDS) % 3 == 0)(ids, random_keys)
    labels = np.where(where, ids, plain.IGNORED)
    return (
        torch.from_numpy(masked),
        torch.from_numpy((ids != special["pad"]).astype(np.int64)),
        torch.from_numpy(labels),
    )


@pytest.mark.parametrize("spans", [False, True], ids=["condenser", "cocondenser"])
@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("late_mlm", [True, False])
@pytest.mark.parametrize("size", [3, ROWS])
def test_losses_and_gradients_equal_a_plain_implementation(spans, family, late_mlm, size):
    special = SPECIAL if family == "bert" else ROBERTA
    model = condenser(family, rate=0, late_mlm=late_mlm)
    stock = copy.deepcopy(model)
    stock.language_model.set_attn_implementation("eager")
    rival = plain.PlainCondenser(stock.language_model, stock.head, 1, late_mlm)
    step = plain.cocondenser_step if spans else plain.condenser_step
    expected = step(rival, plain_rows(special))
    losses, got = run(model, made(size, special), spans)
    assert sum(losses.values()) == pytest.approx(expected, rel=1e-5)
    assert_close(got, gradients(stock))


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("late_mlm", [True, False])
@pytest.mark.parametrize("spans", [False, True], ids=["condenser", "cocondenser"])
def test_chunks_never_matter_dropout_on(size, late_mlm, spans):
    model = condenser(rate=0.3, late_mlm=late_mlm)
    losses, whole = run(model, made(ROWS), spans)
    chunked_losses, chunked = run(model, made(size), spans)
    assert chunked_losses == pytest.approx(losses, rel=1e-5)
    assert_close(chunked, whole)
    _, other = run(condenser(rate=0, late_mlm=late_mlm), made(ROWS), spans)
    name = "language_model.bert.embeddings.word_embeddings.weight"
    assert (other[name] - whole[name]).abs().max() > 1e-2 * whole[name].abs().max()  # dropout was on


def test_all_in_memory_equals_the_cache():
    model = condenser(rate=0.3)
    held, cached = made(3, budget=10**6), made(3)
    assert held.once and not cached.once
    assert_close(run(model, cached, True)[1], run(model, held, True)[1])


def test_the_cache_looks_at_vectors_first_and_at_words_once(monkeypatch):
    model, seen = condenser(), []
    for name in ("vectors", "forward"):
        method = getattr(model, name)
        monkeypatch.setattr(model, name, lambda *a, n=name, m=method: (seen.append(n), m(*a))[1])
    run(model, made(5), True)
    assert seen == ["vectors", "vectors", "forward", "forward"]


def test_contrast_alone_leaves_the_head_as_it_is():
    model = condenser()
    model.without_words()
    losses, found = run(model, made(3), True)
    assert list(losses) == ["contrast"]
    assert all("head." not in name and ".cls." not in name for name in found)


def test_mlm_equals_the_stock_model():
    model = installed(Pretrained(condenser(rate=0).language_model))
    stock = copy.deepcopy(model.language_model)
    stock.set_attn_implementation("eager")
    ids, mask, labels = plain_rows(SPECIAL)
    expected = stock(input_ids=ids, attention_mask=mask, labels=labels).loss
    expected.backward()
    losses, got = run(model, made(3), False)
    assert losses["mlm"] == pytest.approx(expected.item(), rel=1e-5)
    assert_close(got, {f"language_model.{name}": gradient for name, gradient in gradients(stock).items()})
