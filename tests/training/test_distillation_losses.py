"""Losses that follow a teacher equal their equations, summed term by term, and follow them downhill."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dewpoint.study.kind import kinds, work_of

QUERIES, OWN = 4, 3
PASSAGES = QUERIES * OWN
INF = math.inf
KL, LISTNET, SOFT = (SimpleNamespace(name=name, temperature=0.8) for name in ("kl", "listnet", "soft-labels"))
MARGIN, SCALED = (SimpleNamespace(name="margin-mse", teacher_scale=by) for by in (1.0, 0.3))
MEAN, SUM = (SimpleNamespace(name="in-batch-margin-mse", scale=scale, teacher_scale=1.0) for scale in ("mean", "sum"))
SCALED_MEAN = SimpleNamespace(name="in-batch-margin-mse", scale="mean", teacher_scale=0.3)
LAMBDA, BY_RANK = (SimpleNamespace(name="lambda", temperature=0.7, gains=gains) for gains in ("value", "rank"))
CONTRAST = SimpleNamespace(name="contrast", temperature=1.0)


def dual(in_batch, teacher_scale=1.0):
    return SimpleNamespace(name="dual", alpha=0.75, in_batch=in_batch, teacher_scale=teacher_scale)


ALL = [KL, LISTNET, SOFT, MARGIN, MEAN, SUM, LAMBDA, BY_RANK, dual(MEAN), dual(KL), dual(CONTRAST)]
ALL += [SCALED, SCALED_MEAN, dual(SCALED_MEAN, 0.5)]
each_loss = pytest.mark.parametrize("settings", ALL, ids=str)
GAPS = {
    "all": [],
    "some": [(0, 4), (1, 5), (1, 4), (2, 0), (3, 1)],  # 4 and 5 are query 1's own negatives
    "only own": [(row, at) for row in range(QUERIES) for at in range(PASSAGES) if at // OWN != row],
    "no positive": [(2, 2 * OWN)],
}


def scored(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(QUERIES, PASSAGES)) * 2)


def known_of(gaps=(), masked=((0, 7), (3, 0))) -> dict[str, torch.Tensor]:
    """A query brings its positive and then its negatives; the teacher has no score of the pairs in `gaps`."""
    teacher = torch.from_numpy(np.random.default_rng(1).normal(size=(QUERIES, PASSAGES)) * 3)
    hidden = torch.zeros(QUERIES, PASSAGES, dtype=torch.bool)
    for row, at in gaps:
        teacher[row, at] = torch.nan
    for row, at in masked:
        hidden[row, at] = True
    own = torch.arange(PASSAGES) // OWN == torch.arange(QUERIES)[:, None]
    return {"targets": torch.arange(QUERIES) * OWN, "masked": hidden, "own": own, "teacher": teacher}


def value(scores, known, settings) -> torch.Tensor:
    return work_of("losses", settings.name)(scores, known, settings)


@each_loss
def test_a_weighted_loss_is_that_many_times_the_other(settings):
    gradients = []
    for of in (settings, SimpleNamespace(name="weighted", of=settings, weight=0.25)):
        scores = scored().requires_grad_()
        loss = value(scores, known_of(), of)
        gradients.append((loss.detach(), *torch.autograd.grad(loss, scores)))
    for one, weighted in zip(*gradients, strict=True):
        torch.testing.assert_close(weighted, 0.25 * one)


# --- the same in plain Python -------------------------------------------------------------------


def slow(scores, known, settings) -> float:
    s, t, masked, own = (x.tolist() for x in (scores, known["teacher"], known["masked"], known["own"]))
    targets = known["targets"].tolist()
    lists = []
    for i, target in enumerate(targets):
        part = [j for j in range(PASSAGES) if not math.isnan(t[i][j]) and not masked[i][j]]
        lists.append(part if target in part else [])
    match settings.name:
        case "margin-mse":
            pairs = [(i, j) for i, part in enumerate(lists) for j in part if own[i][j] and j != targets[i]]
            by = settings.teacher_scale
            return sum(squared(s[i], t[i], targets[i], j, by) for i, j in pairs) / max(1, len(pairs))
        case "in-batch-margin-mse":
            pairs = [(i, j) for i, part in enumerate(lists) for j in part]
            total = sum(squared(s[i], t[i], targets[i], j, settings.teacher_scale) for i, j in pairs)
            return total / (len(pairs) if settings.scale == "mean" else 2 * len(s))
        case "dual":
            pairwise = SimpleNamespace(name="margin-mse", teacher_scale=settings.teacher_scale)
            return slow(scores, known, pairwise) + settings.alpha * slow(scores, known, settings.in_batch)
        case "kl" | "listnet":
            total = 0
            for i, part in enumerate(lists):
                model, teacher = (shares([of[i][j] for j in part], settings.temperature) for of in (s, t))
                for mine, theirs in zip(model, teacher, strict=True):
                    total += theirs * (-math.log(mine) + (math.log(theirs) if settings.name == "kl" else 0))
            return total / len(s)
        case "soft-labels":
            total = 0
            for i, part in enumerate(lists):
                mine = [j for j in part if own[i][j]]
                seen = [j for j in range(PASSAGES) if not masked[i][j]]
                model = dict(zip(seen, shares([s[i][j] for j in seen], settings.temperature), strict=True))
                teacher = shares([t[i][j] for j in mine], settings.temperature)
                total -= sum(share * math.log(model[j]) for j, share in zip(mine, teacher, strict=True))
            return total / len(s)
        case "lambda":
            return sum(
                of_list([s[i][j] for j in p], [t[i][j] for j in p], settings) for i, p in enumerate(lists)
            ) / len(s)
        case "contrast":
            seen = [[j for j in range(PASSAGES) if not masked[i][j]] for i in range(len(s))]
            terms = (shares([s[i][j] for j in part], 1)[part.index(targets[i])] for i, part in enumerate(seen))
            return -sum(map(math.log, terms)) / len(s)


def squared(s, t, positive, other, by) -> float:
    return ((s[positive] - s[other]) - by * (t[positive] - t[other])) ** 2


def shares(scores, temperature) -> list[float]:
    parts = [math.exp(score / temperature) for score in scores]
    return [part / sum(parts) for part in parts]


def of_list(s, t, settings) -> float:
    """nDCG-Loss2 of one list."""
    if len(s) < 2:
        return 0
    if settings.gains == "rank":
        labels = [sum(other < mine for other in t) / (len(t) - 1) for mine in t]
    else:
        labels = [(mine - min(t)) / (max(t) - min(t)) for mine in t]
    gains = [2**label - 1 for label in labels]
    best = sum(gain / math.log2(2 + place) for place, gain in enumerate(sorted(gains, reverse=True)))
    rank = [1 + sum(other > mine for other in s) for mine in s]
    total = 0
    for j in range(len(s)):
        for k in range(len(s)):
            if gains[j] > gains[k]:
                apart = abs(rank[j] - rank[k])
                lost = abs(1 / math.log2(1 + apart) - 1 / math.log2(2 + apart))
                margin = (s[j] - s[k]) / settings.temperature
                total += lost * abs(gains[j] - gains[k]) / best * math.log(1 + math.exp(-margin))
    return total


@each_loss
@pytest.mark.parametrize("gaps", GAPS)
def test_a_loss_is_its_equation(settings, gaps):
    scores, known = scored(), known_of(GAPS[gaps])
    assert value(scores, known, settings).item() == pytest.approx(slow(scores, known, settings), rel=1e-9)


@each_loss
@pytest.mark.parametrize("gaps", GAPS)
def test_its_gradient_is_how_it_changes(settings, gaps):
    """Weights of `lambda` are of ranks, which a step so small does not change."""
    scores, known, step = scored().requires_grad_(), known_of(GAPS[gaps]), 1e-6
    (gradient,) = torch.autograd.grad(value(scores, known, settings), scores)
    with torch.no_grad():
        for row in range(QUERIES):
            for at in range(PASSAGES):
                moved = [scores.clone() for _ in range(2)]
                for one, by in zip(moved, (step, -step), strict=True):
                    one[row, at] += by
                up, down = (value(one, known, settings).item() for one in moved)
                assert gradient[row, at].item() == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-7)


@each_loss
def test_it_is_about_the_same_in_float32(settings):
    scores, known = scored(), known_of(GAPS["some"])
    low = known | {"teacher": known["teacher"].float()}
    found = value(scores.float(), low, settings)
    assert found.dtype == torch.float32 and found.item() == pytest.approx(
        value(scores, known, settings).item(), rel=1e-4
    )


def test_kl_and_listnet_have_one_gradient():
    scores, known = scored().requires_grad_(), known_of(GAPS["some"])
    one, other = (torch.autograd.grad(value(scores, known, of), scores)[0] for of in (KL, LISTNET))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    apart = value(scores, known, LISTNET) - value(scores, known, KL)
    assert apart > 0.1  # the entropy of the teacher's shares


def test_lambda_by_hand():
    """Three passages, labels 1, ½, 0 by the teacher's value; the model has them as second, first, third."""
    known = {
        "targets": torch.tensor([0]),
        "masked": torch.zeros(1, 3, dtype=torch.bool),
        "own": torch.ones(1, 3, dtype=torch.bool),
        "teacher": torch.tensor([[4.0, 3.0, 2.0]]),
    }
    gains = [1, math.sqrt(2) - 1, 0]
    best = gains[0] + gains[1] / math.log2(3)
    next_to, two_apart = 1 - 1 / math.log2(3), 1 / math.log2(3) - 1 / 2
    expected = next_to * (gains[0] - gains[1]) * math.log(1 + math.exp(1))  # first and second, a margin of -1
    expected += next_to * gains[0] * math.log(1 + math.exp(-2))  # ranks 2 and 3, a margin of 2
    expected += two_apart * gains[1] * math.log(1 + math.exp(-3))  # ranks 1 and 3, a margin of 3
    settings = SimpleNamespace(name="lambda", temperature=1.0, gains="value")
    found = value(torch.tensor([[2.0, 3.0, 0.0]]), known, settings).item()
    assert found == pytest.approx(expected / best, rel=1e-6)


def test_a_model_that_is_its_teacher_has_nothing_to_learn():
    known = known_of()
    for settings in (MARGIN, MEAN, SUM, dual(MEAN), KL):
        scores = (known["teacher"] + 5.0).requires_grad_()  # what all scores of a query share does not matter
        loss = value(scores, known, settings)
        assert loss.item() == pytest.approx(0, abs=1e-12)
        assert torch.autograd.grad(loss, scores)[0].abs().max() < 1e-12


@pytest.mark.parametrize("of", [MARGIN, MEAN, SUM, dual(MEAN)], ids=str)
@pytest.mark.parametrize("by", [0.01, 40.0])
def test_a_scale_is_that_of_a_teacher_so_much_lower(of, by):
    """Scores of a hundredth with a scale of a hundred are as they were, and what they began with is not."""
    inside = SimpleNamespace(**vars(of.in_batch) | {"teacher_scale": 1 / by}) if of.name == "dual" else None
    scaled = SimpleNamespace(**vars(of) | {"teacher_scale": 1 / by} | ({"in_batch": inside} if inside else {}))
    scores, known = scored(), known_of(GAPS["some"])
    other = known | {"teacher": by * known["teacher"]}
    expected = value(scores, known, of).item()
    assert value(scores, other, scaled).item() == pytest.approx(expected, rel=1e-9)
    assert value(scores, other, of).item() != pytest.approx(expected, rel=1e-2)


@each_loss
def test_pairs_without_a_score_have_no_part(settings):
    """Nothing pulls at them; only soft labels and a contrast have all passages of the batch below the line."""
    scores, known = scored().requires_grad_(), known_of(GAPS["some"])
    (gradient,) = torch.autograd.grad(value(scores, known, settings), scores)
    assert gradient.isfinite().all() and gradient.abs().max() > 0
    others = settings is SOFT or getattr(settings, "in_batch", None) is CONTRAST
    for row, at in GAPS["some"]:
        assert (gradient[row, at] == 0) == (not others)


@each_loss
def test_a_batch_without_any_score_is_of_no_loss(settings):
    everything = [(row, at) for row in range(QUERIES) for at in range(PASSAGES)]
    scores, known = scored().requires_grad_(), known_of(everything)
    loss = value(scores, known, settings)
    (gradient,) = torch.autograd.grad(loss, scores)
    if getattr(settings, "in_batch", None) is not CONTRAST:
        assert loss == 0 and (gradient == 0).all()
    assert gradient.isfinite().all()


@each_loss
def test_what_is_masked_has_no_part(settings):
    """Others' passages that are relevant to the query."""
    scores, known = scored().requires_grad_(), known_of()
    (gradient,) = torch.autograd.grad(value(scores, known, settings), scores)
    assert all(gradient[row, at] == 0 for row, at in torch.argwhere(known["masked"]).tolist())


def test_every_loss_that_needs_a_teacher_is_tested():
    assert {of.name for of in ALL} == {name for name, kind in kinds("losses").items() if kind.needs_teacher}
