"""The retriever's loss is what the papers define: equal to a plain implementation, in any chunks, dropout on."""

import copy
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import plain
from dewpoint.batches import random
from dewpoint.data.instances import RetrieverBatches, pick_queries
from dewpoint.data.negatives import Negatives
from dewpoint.data.tokens import Ragged, Texts, assemble
from dewpoint.losses import contrast
from dewpoint.models import dropout
from dewpoint.models.backbone import from_scratch, load_encoder
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.training.chunks import Room
from dewpoint.training.ranking import Objective, Rows
from dewpoint.training.sides import Sides
from models.families import CAUSAL, FAMILIES, make
from training.test_exact import assert_close, gradients

VOCABULARY, QUERIES, PASSAGES = 60, 12, 40
SPECIAL = {"pad": 0, "cls": 2, "sep": 3, "mask": 4}
JUDGED = np.array([(query, passage) for query in range(QUERIES) for passage in (query, 20 + query % 4)])
WAYS = {
    "tied": {},
    "untied": {"untied": True},
    "mean, normalized": {"pooling": "mean", "normalize": True, "temperature": 0.1},
    "projection": {"projection": SimpleNamespace(size=6, norm=False)},
    "untied, projection with norm": {"untied": True, "projection": SimpleNamespace(size=6, norm=True)},
    "mixed": {"untied": True, "narrow": True, "projection": SimpleNamespace(size=6, norm=False)},
    "no in-batch negatives": {"in_batch": False},
}


def settings(negatives=1, pooling="cls", normalize=False, projection=None, temperature=1.0, in_batch=True, **_):
    shape = {"pooling": pooling, "normalize": normalize, "projection": projection}
    shape |= {"loss": SimpleNamespace(name="contrast", temperature=temperature)}
    stream = {"negatives_per_query": negatives, "batch_size": 7, "positives": "rotating", "in_batch": in_batch}
    return SimpleNamespace(seed=3, precision="float32", **shape, **stream)


def texts(count: int, longest: int, seed: int) -> Ragged:
    random = np.random.default_rng(seed)
    counts = random.integers(1, longest, count)
    return Ragged(random.integers(5, VOCABULARY, counts.sum()), np.concatenate([[0], np.cumsum(counts)]))


def backbone(hidden: int, rate: float):
    shape = {"family": "bert", "layers": 2, "hidden": hidden, "heads": 2, "intermediate": 24, "positions": 64}
    return from_scratch(SimpleNamespace(**shape, dropout=rate), VOCABULARY, SPECIAL["pad"]).bert


def retriever(rate: float = 0.2, untied: bool = False, narrow: bool = False, **way) -> Retriever:
    torch.manual_seed(0)
    queries = Encoder(backbone(8 if narrow else 16, rate)) if untied else None
    model, wanted = Retriever(Encoder(backbone(16, rate)), queries), settings(**way)
    model.set_output(wanted.pooling, wanted.normalize, wanted.projection, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():  # so that biases and norms count
            parameter += 0.1 * torch.randn_like(parameter)
    dropout.install(model, *(encoder.backbone for encoder in model.encoders))
    return model.train()


def stream(wanted, kind: type[RetrieverBatches] = RetrieverBatches) -> RetrieverBatches:
    queries, passages = Texts([texts(QUERIES, 12, 1)], 12), Texts([texts(PASSAGES, 3, 2), texts(PASSAGES, 30, 3)], 20)
    pools = np.random.default_rng(4).integers(0, PASSAGES, (QUERIES, 9)).astype(np.int32)
    negatives = Negatives(np.arange(QUERIES), pools.ravel(), np.arange(QUERIES + 1) * 9)
    chosen = pick_queries(JUDGED[:, 0], None, np.zeros(0), 3)
    compose = partial(random.work, settings=None)
    return kind(queries, passages, (JUDGED[:, 0], JUDGED[:, 1]), negatives, chosen, wanted, compose)


def objective(model: Retriever, wanted) -> Objective:
    return Objective(model, wanted, partial(contrast.work, settings=wanted.loss))


def shown_and_asked(made) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a batch's passages and of its queries, found by where their tokens lie."""
    of = stream(settings())
    sides = ((of.passages.segments[1], made.passages[1]), (of.queries.segments[0], made.queries[0]))
    return tuple(np.searchsorted(texts.offsets, rows.starts, "right") - 1 for texts, rows in sides)


def run(model: Retriever, room: Room, way: dict, step: int = 0):
    model.zero_grad(set_to_none=True)
    wanted = settings(**way)
    made = Rows(stream(wanted), Sides(SPECIAL, SPECIAL, False), room, seed=3).batch(step)
    return objective(model, wanted)(made)["contrast"], gradients(model), made


CASES = [(name, negatives) for name in WAYS for negatives in (0, 1, 7) if negatives or WAYS[name].get("in_batch", True)]
TOLERANCE = 1e-3  # what moves all passages alike has a gradient near zero, the difference of large numbers
HELD = Room(10**6, 10**6)


@pytest.mark.parametrize(("name", "negatives"), CASES)
@pytest.mark.parametrize("step", [0, 1], ids=["whole batch", "last, short batch"])
def test_loss_and_gradients_equal_a_plain_implementation(name, negatives, step):
    way = WAYS[name] | {"negatives": negatives}
    model = retriever(rate=0, **way)
    stock = copy.deepcopy(model)
    for encoder in stock.encoders:
        encoder.backbone.set_attn_implementation("eager")
    wanted = settings(**way)
    made = stream(wanted).batch(step)
    sides = []
    for encoder, rows in ((stock.queries, made.queries), (stock.passages, made.passages)):
        ids = [torch.from_numpy(row[row != SPECIAL["pad"]]) for row in assemble(rows, SPECIAL)]
        shape = wanted.pooling, encoder.projection, wanted.normalize
        sides.append([plain.vector(encoder.backbone, one, *shape) for one in ids])
    passages, queries = shown_and_asked(made)
    judged = {query: set(JUDGED[JUDGED[:, 0] == query, 1].tolist()) for query in range(QUERIES)}
    each = 1 + negatives
    others = []
    for row, query in enumerate(queries.tolist()):
        beside = range(len(passages)) if wanted.in_batch else range(row * each, (row + 1) * each)
        others.append([at for at in beside if passages[at] not in judged[query]])
    expected = plain.ranking(*sides, [row * each for row in range(len(queries))], others, wanted.loss.temperature)
    expected.backward()
    loss, got, _ = run(model, HELD, way, step)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert_close(got, gradients(stock), TOLERANCE)


@pytest.mark.parametrize(("name", "negatives"), CASES)
@pytest.mark.parametrize("chunk", [20, 64])
def test_cached_equals_uncached_dropout_on(name, negatives, chunk):
    way = WAYS[name] | {"negatives": negatives}
    model = retriever(**way)
    loss, whole, made = run(model, HELD, way)
    cached_loss, cached, cut = run(model, Room(chunk, 0), way)
    assert made.once and not cut.once and len(cut.chunks) > len(made.chunks)
    assert len({tuple(part.ids.shape) for part in cut.chunks}) > 2  # uneven
    assert cached_loss == pytest.approx(loss, rel=1e-5)
    assert_close(cached, whole, TOLERANCE)
    other, _, _ = run(retriever(rate=0, **way), HELD, way)
    assert abs(other - loss) > 1e-4  # dropout was on


def test_what_is_judged_relevant_pulls_no_gradient_as_a_negative():
    """dL_i / dp_j is zero for every passage j that is judged relevant to query i and is not its target."""
    made = stream(settings(negatives=3)).batch(0)
    targets, masked = (torch.from_numpy(made.known[name]) for name in ("targets", "masked"))
    queries, passages = torch.randn(masked.shape[0], 5), torch.randn(masked.shape[1], 5, requires_grad=True)
    rows, asked = shown_and_asked(made)
    judged, met = set(map(tuple, JUDGED.tolist())), 0
    for row in range(len(queries)):
        known = {"targets": targets[row : row + 1], "masked": masked[row : row + 1]}
        loss = contrast.work(queries[row : row + 1] @ passages.T, known, settings().loss)
        (gradient,) = torch.autograd.grad(loss, passages)
        for at, passage in enumerate(rows.tolist()):
            relevant = (int(asked[row]), passage) in judged and at != targets[row]
            met += relevant
            assert (gradient[at] == 0).all() == relevant
    assert met > 3


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_the_same_in_any_chunks(family, tmp_path):
    """Dropout on, in the places where each family has it."""
    pooling = "last" if family in CAUSAL else "mean"
    model = Retriever(Encoder(load_encoder(make(family, tmp_path)), pooling))
    dropout.install(model, model.passages.backbone)
    model.train()
    special = SPECIAL | {"pad": model.passages.backbone.config.pad_token_id}

    def run(room):
        model.zero_grad(set_to_none=True)
        made = Rows(stream(settings()), Sides(special, special, False), room, seed=3).batch(0)
        return objective(model, settings())(made)["contrast"], gradients(model)

    loss, whole = run(HELD)
    cached_loss, cached = run(Room(30, 0))
    assert cached_loss == pytest.approx(loss, rel=1e-4)
    assert_close(cached, whole, TOLERANCE)
    model.eval()
    assert abs(run(HELD)[0] - loss) > 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_about_the_same_in_bfloat16(family, tmp_path):
    model = Retriever(Encoder(load_encoder(make(family, tmp_path))))
    dropout.install(model, model.passages.backbone)
    model.train()
    special, found = SPECIAL | {"pad": model.passages.backbone.config.pad_token_id}, {}
    for precision in ("float32", "bfloat16"):
        model.zero_grad(set_to_none=True)
        wanted = settings(normalize=True)
        wanted.precision = precision
        made = Rows(stream(wanted), Sides(special, special, False), HELD, seed=3).batch(0)
        loss = objective(model, wanted)(made)["contrast"]
        found[precision] = loss, torch.cat([gradient.flatten() for gradient in gradients(model).values()])
    (exact, one), (low, other) = found.values()
    assert low == pytest.approx(exact, rel=0.05) and low != exact
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.95
