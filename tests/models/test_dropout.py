"""Dropout by row: the rate it should have, no pattern, and nothing but the row's key and the place decide."""

import numpy as np
import pytest
import torch
from torch import nn

from dewpoint.errors import UserError
from dewpoint.models.dropout import attend, install, kept, keyed
from dewpoint.models.parts import layers
from models.families import FAMILIES, make


def keys(rows: int, first: int = 0) -> torch.Tensor:
    random = np.random.default_rng(first)
    return torch.from_numpy(random.integers(-(2**31), 2**31, rows).astype(np.int32))


def keep(site=3, p=0.1, shape=(64, 40, 96), first=0) -> torch.Tensor:
    return kept(keys(shape[0], first), site, p, shape)


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
def test_the_rate_overall_and_along_every_axis(p):
    kept_ones = keep(p=p).double()
    for axes in ((0, 1, 2), (0, 1), (0, 2), (1, 2)):
        share = kept_ones.mean(axes)
        count = kept_ones.numel() / share.numel()
        assert (share - (1 - p)).abs().max() < 5 * (p * (1 - p) / count) ** 0.5


def test_neighbours_sites_and_keys_are_unrelated():
    """Correlations as small as chance makes them: between neighbours on each axis, sites, and other keys."""
    one = keep().double()
    pairs = [(one[1:], one[:-1]), (one[:, 1:], one[:, :-1]), (one[..., 1:], one[..., :-1])]
    pairs += [(one[..., 2:], one[..., :-2]), (one, keep(site=4).double()), (one, keep(first=1).double())]
    for a, b in pairs:
        correlation = torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
        assert abs(correlation) < 4.5 / a.numel() ** 0.5


def test_pairs_of_channels_are_dropped_together_as_often_as_chance():
    dropped = ~keep(p=0.3, shape=(500, 20, 24))
    together = torch.einsum("rpa,rpb->ab", dropped.double(), dropped.double()) / (500 * 20)
    apart = together[~torch.eye(24, dtype=torch.bool)]
    assert (apart - 0.09).abs().max() < 5 * (0.09 * 0.91 / 10_000) ** 0.5


def test_other_rows_and_padding_have_no_part():
    whole = keep(shape=(6, 5, 9, 16))
    assert torch.equal(kept(keys(6)[[4, 1]], 3, 0.1, (2, 5, 7, 16)), whole[[4, 1], :, :7])


def test_what_is_kept_grows_and_the_gradient_goes_the_same_way():
    model = nn.Sequential(nn.Identity(), nn.Dropout(0.25))
    install(model)
    x = torch.ones(4, 5, 6, requires_grad=True)
    with keyed(model, keys(4)):
        y = model(x)
        y.sum().backward()
    stays = kept(keys(4), 2, 0.25, x.shape)
    assert torch.equal(y.detach(), stays / 0.75) and torch.equal(x.grad, stays / 0.75)
    assert model.eval()(x) is x


def test_without_keys_it_refuses():
    one, other = (nn.Sequential(nn.Dropout(0.1)) for _ in range(2))
    install(one)
    install(other)
    x = torch.ones(2, 3)
    with pytest.raises(RuntimeError, match="keys of its rows"):
        one(x)
    with pytest.raises(RuntimeError, match="keys of its rows"), keyed(one, keys(3)):
        one(x)
    with pytest.raises(RuntimeError, match="keys of its rows"), keyed(one, keys(2)):
        other(x)  # each model has its own
    with keyed(one, keys(2)):
        with keyed(one, keys(3)):
            one(torch.ones(3, 3))
        one(x)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_attention_equals_its_formula_and_so_do_its_gradients(rate, biased):
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, 5, 4, requires_grad=True) for _ in range(3))
    bias = torch.randn(1, 2, 5, 5, requires_grad=True)
    mask = torch.ones(3, 1, 5, 5, dtype=torch.bool)
    mask[1, ..., 3:] = False
    model = nn.Sequential(nn.Identity())
    install(model)
    with keyed(model, keys(3)):
        more = {"position_bias": bias} if biased else {}
        got, _ = attend(model[0], query, key, value, mask, dropout=rate, scaling=0.5, **more)
    drop = kept(keys(3), 1, rate, (3, 2, 5, 5)) / (1 - rate)
    scores = (query @ key.transpose(2, 3) * 0.5 + bias * biased).masked_fill(~mask, -torch.inf)
    expected = ((torch.softmax(scores, -1) * drop) @ value).transpose(1, 2)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    weights, inputs = torch.randn_like(got), (query, key, value, *([bias] if biased else []))
    gradients = torch.autograd.grad((got * weights).sum(), inputs)
    for mine, plain in zip(gradients, torch.autograd.grad((expected * weights).sum(), inputs), strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("biased", [False, True])
def test_short_rows_are_trained_on_in_float32_on_a_processor(biased):
    """In bfloat16 what goes in and comes out, and the gradients; nothing between them is rounded."""
    torch.manual_seed(0)
    low = [torch.randn(3, 2, 20, 8).bfloat16().requires_grad_() for _ in range(3)]
    full = [part.detach().float().requires_grad_() for part in low]
    mask = (torch.arange(20) < torch.tensor([20, 7, 1])[:, None])[:, None, None].expand(3, 1, 20, 20)
    more = {"position_bias": torch.randn(1, 2, 20, 20)} if biased else {}
    model = nn.Sequential(nn.Identity()).train()
    with torch.autocast("cpu", torch.bfloat16):
        got, _ = attend(model[0], *low, mask, scaling=0.5, **more)
    expected, _ = attend(model[0], *full, mask, scaling=0.5, **more)
    assert got.dtype == torch.bfloat16 and torch.equal(got, expected.bfloat16())
    weights = torch.randn_like(expected).bfloat16()
    gradients = torch.autograd.grad((got * weights).sum(), low)
    for mine, plain in zip(gradients, torch.autograd.grad((expected * weights).sum(), full), strict=True):
        assert torch.equal(mine, plain.bfloat16())


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("padded", [False, True])
def test_causal_attention_with_few_keys_equals_its_formula(rate, padded, biased):
    """Four queries share two keys; where nothing is padded no mask comes, and a first token still sees no other."""
    torch.manual_seed(0)
    query = torch.randn(3, 4, 5, 6, requires_grad=True)
    key, value = (torch.randn(3, 2, 5, 6, requires_grad=True) for _ in range(2))
    bias = torch.randn(1, 4, 5, 5)
    seen = torch.ones(3, 1, 5, 5, dtype=torch.bool).tril()
    if padded:
        seen[1, ..., 3:] = False
    model = nn.Sequential(nn.Identity())
    model[0].is_causal = True
    install(model)
    with keyed(model, keys(3)):
        more = {"position_bias": bias} if biased else {}
        got, _ = attend(model[0], query, key, value, seen if padded else None, dropout=rate, scaling=0.5, **more)
    drop = kept(keys(3), 1, rate, (3, 4, 5, 5)) / (1 - rate)
    wide = [torch.stack([part[:, head // 2] for head in range(4)], 1) for part in (key, value)]
    scores = (query @ wide[0].transpose(2, 3) * 0.5 + bias * biased).masked_fill(~seen, -torch.inf)
    expected = ((torch.softmax(scores, -1) * drop) @ wide[1]).transpose(1, 2)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    weights = torch.randn_like(got)
    gradients = torch.autograd.grad((got * weights).sum(), (query, key, value))
    for mine, plain in zip(
        gradients, torch.autograd.grad((expected * weights).sum(), (query, key, value)), strict=True
    ):
        torch.testing.assert_close(mine, plain, rtol=1e-4, atol=1e-5)


def test_padding_that_sees_nothing_stays_a_number():
    """Beyond a window around it there may be padding alone; what is no number would spoil all other rows' gradients."""
    query, key, value = (torch.randn(2, 1, 4, 6, requires_grad=True) for _ in range(3))
    seen = torch.ones(2, 1, 4, 4, dtype=torch.bool)
    seen[0, :, 3] = False
    model = nn.Sequential(nn.Identity())
    install(model)
    with keyed(model, keys(2)):
        got, _ = attend(model[0], query, key, value, seen, dropout=0.5, scaling=1.0)
    gradients = torch.autograd.grad(got[:, :3].sum(), (query, key, value))
    assert got.isfinite().all() and all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("more", [{"softcap": 30.0}, {"s_aux": torch.ones(2)}])
def test_attention_that_is_not_known_is_refused(more):
    with pytest.raises(UserError, match=r"^attention with capped scores or sinks is not known here"):
        attend(nn.Identity(), *(torch.randn(1, 2, 3, 4) for _ in range(3)), None, scaling=1.0, **more)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_drops_nothing_is_as_it_was(family, tmp_path):
    """With padding and without; for all families' own attention, whatever it sees."""
    from dewpoint.models.backbone import load_encoder

    plain, ours = load_encoder(make(family, tmp_path)).eval(), trained(family, tmp_path).eval()
    ids, mask = torch.randint(5, 50, (4, 13)), torch.ones(4, 13, dtype=torch.long)
    for counts in ([13, 13, 13, 13], [13, 9, 5, 1]):
        mask = (torch.arange(13) < torch.tensor(counts)[:, None]).long()
        got, expected = (model(ids, attention_mask=mask).last_hidden_state[mask.bool()] for model in (ours, plain))
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def trained(family, folder):
    """A model of a family that is dropped by row."""
    from dewpoint.models.backbone import load_encoder

    model = load_encoder(make(family, folder)).train()
    install(model, model)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_dropped_by_row(family, tmp_path):
    """In training mode a row's output depends on its key alone, whatever stands beside it and what torch draws."""
    model = trained(family, tmp_path)
    ids, mask = torch.randint(5, 50, (4, 7)), torch.ones(4, 7, dtype=torch.long)
    mask[0, 4:] = 0

    def output(rows, keys):
        with keyed(model, keys):
            return model(ids[rows], attention_mask=mask[rows]).last_hidden_state

    whole = output(slice(4), keys(4))
    torch.manual_seed(99)
    torch.testing.assert_close(whole[2:3], output(slice(2, 3), keys(4)[2:3]), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(output(slice(4), keys(4, first=1)), whole, atol=1e-2)
    assert not torch.allclose(model.eval()(ids, attention_mask=mask).last_hidden_state, whole, atol=1e-2)


def test_installing_draws_nothing_and_leaves_the_mode(tmp_path):
    model, before = trained("t5", tmp_path).eval(), torch.get_rng_state()
    install(model, model)
    assert torch.equal(torch.get_rng_state(), before) and not model.training


class Stray(nn.Module):
    """Drops by torch's own generator, as some families do in their attention."""

    def forward(self, x, *args, **options):
        return nn.functional.dropout(x, 0.1, self.training)


class OfNoRow(nn.Module):
    """Drops what all rows share."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.1)

    def forward(self, x, *args, **options):
        return x + self.dropout(torch.ones(1, *x.shape[1:]))


@pytest.mark.parametrize("kind", [Stray, OfNoRow])
def test_dropout_that_is_not_of_rows_is_refused(tmp_path, kind):
    model = trained("bert", tmp_path)
    layers(model)[1].output.dense = nn.Sequential(layers(model)[1].output.dense, kind())
    with pytest.raises(UserError, match=r"^models of class 'bert' have dropout that is not of rows; set its rate to 0"):
        install(model, model)
