"""Dropout by row: the rate it should have, no pattern, and nothing but the row's key and the place decide."""

import numpy as np
import pytest
import torch
from torch import nn

from dewpoint.models.dropout import Dropout, attend, install, kept, keyed


def keys(rows: int, first: int = 0) -> torch.Tensor:
    random = np.random.default_rng(first)
    return torch.from_numpy(random.integers(-(2**31), 2**31, rows).astype(np.int32))


def keep(site=3, p=0.1, shape=(64, 40, 96), first=0) -> torch.Tensor:
    with keyed(keys(shape[0], first)):
        return kept(site, p, shape)


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
    with keyed(keys(6)[[4, 1]]):
        assert torch.equal(kept(3, 0.1, (2, 5, 7, 16)), whole[[4, 1], :, :7])


def test_what_is_kept_grows_and_the_gradient_goes_the_same_way():
    module = Dropout(0.25)
    module.site = 2
    x = torch.ones(4, 5, 6, requires_grad=True)
    with keyed(keys(4)):
        y = module(x)
        y.sum().backward()
        stays = kept(2, 0.25, x.shape)
    assert torch.equal(y.detach(), stays / 0.75) and torch.equal(x.grad, stays / 0.75)
    assert module.eval()(x) is x


def test_without_keys_it_refuses():
    with pytest.raises(RuntimeError, match="keys of its rows"):
        kept(1, 0.1, (2, 3))
    with pytest.raises(RuntimeError, match="keys of its rows"), keyed(keys(3)):
        kept(1, 0.1, (2, 3))


def test_attention_equals_its_formula_and_so_do_its_gradients():
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, 5, 4, dtype=torch.double, requires_grad=True) for _ in range(3))
    mask = torch.ones(3, 1, 5, 5, dtype=torch.bool)
    mask[1, ..., 3:] = False
    module = nn.Module()
    module.site = 9
    with keyed(keys(3)):
        got, _ = attend(module, query, key, value, mask, dropout=0.4, scaling=0.5)
        drop = kept(9, 0.4, (3, 2, 5, 5)) / 0.6
    scores = (query @ key.transpose(2, 3) * 0.5).masked_fill(~mask, -torch.inf)
    expected = ((torch.softmax(scores, -1) * drop) @ value).transpose(1, 2)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    weights = torch.randn_like(got)
    gradients = torch.autograd.grad((got * weights).sum(), (query, key, value))
    for mine, plain in zip(
        gradients, torch.autograd.grad((expected * weights).sum(), (query, key, value)), strict=True
    ):
        torch.testing.assert_close(mine, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["DistilBert", "Electra", "Roberta", "MPNet"])
def test_other_encoders_are_dropped_by_row_too(kind):
    """In training mode a row's output depends on its key alone, whatever stands beside it."""
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=50, hidden_size=16, dim=16, num_attention_heads=2, n_heads=2
    )
    config.num_hidden_layers = config.n_layers = 2
    config.intermediate_size = config.hidden_dim = 24
    model = getattr(transformers, f"{kind}Model")(config).train()
    install(model, model)
    ids = torch.randint(3, 50, (4, 7))
    with keyed(keys(4)):
        whole = model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    with keyed(keys(4)[2:3]):
        alone = model(ids[2:3], attention_mask=torch.ones_like(ids[2:3])).last_hidden_state
    torch.testing.assert_close(whole[2:3], alone, rtol=1e-4, atol=1e-5)
    with keyed(keys(4, first=1)):
        assert not torch.allclose(model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state, whole, atol=1e-2)
