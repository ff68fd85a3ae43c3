"""What a batch knows reaches any loss: whole, in the order of the rows, and with the gradient of one graph."""

import copy
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import plain
from dewpoint.data.instances import RetrieverBatch, RetrieverBatches
from dewpoint.data.tokens import assemble
from dewpoint.study.kind import work_of
from dewpoint.training.chunks import Room
from dewpoint.training.ranking import Objective, Rows
from dewpoint.training.sides import Sides
from training.test_exact import assert_close, gradients
from training.test_ranking_exact import (
    HELD,
    PASSAGES,
    QUERIES,
    SPECIAL,
    TOLERANCE,
    WAYS,
    retriever,
    settings,
    shown_and_asked,
    stream,
)

TEACHER = np.random.default_rng(8).normal(size=(QUERIES, PASSAGES)).astype(np.float32)  # its score of every pair


class Taught(RetrieverBatches):
    """Batches that bring a teacher's scores of their queries and passages."""

    def batch(self, step: int) -> RetrieverBatch:
        made = super().batch(step)
        taught = TEACHER[made.known["query"]][:, made.known["passage"]]
        return RetrieverBatch(made.queries, made.passages, made.known | {"teacher": taught})


def distilled(scores: Tensor, known: dict[str, Tensor]) -> Tensor:
    """L_i = -Σ_j softmax(t_i)_j · log softmax(s_i)_j over the passages that are not masked."""
    taught = known["teacher"].masked_fill(known["masked"], -torch.inf).softmax(1)
    return -(taught * scores.masked_fill(known["masked"], -1e4).log_softmax(1)).sum(1).mean()


def rows(way: dict, room: Room, step: int = 0):
    return Rows(stream(settings(**way), Taught), Sides(SPECIAL, SPECIAL, False), room, seed=3).batch(step)


def loss_of(name: str, **said):
    said = SimpleNamespace(name=name, **said)
    return partial(work_of("losses", name), settings=said)


IN_BATCH = SimpleNamespace(name="in-batch-margin-mse", scale="mean", teacher_scale=1.0)
LOSSES = {
    "distilled": distilled,
    "margin-mse": loss_of("margin-mse", teacher_scale=1.0),
    "dual": loss_of("dual", alpha=0.75, teacher_scale=1.0, in_batch=IN_BATCH),
    "lambda": loss_of("lambda", temperature=1.0, gains="value"),
}


def run(model, way: dict, room: Room, step: int = 0, loss=distilled):
    model.zero_grad(set_to_none=True)
    wanted = settings(**way)
    wanted.loss.name = "distilled"
    losses = Objective(model, wanted, loss)(rows(way, room, step))
    assert list(losses) == ["distilled"]
    return losses["distilled"], gradients(model)


@pytest.mark.parametrize(("name", "follows"), [*((way, "distilled") for way in WAYS), *(("tied", of) for of in LOSSES)])
@pytest.mark.parametrize("chunk", [20, 64])
def test_a_loss_with_a_teacher_learns_the_same_in_any_chunks(name, follows, chunk):
    """Dropout on, the last batch short."""
    way = WAYS[name] | {"negatives": 2}
    model = retriever(**way)
    for step in (0, 1):
        loss, whole = run(model, way, HELD, step, LOSSES[follows])
        cached_loss, cached = run(model, way, Room(chunk, 0), step, LOSSES[follows])
        assert cached_loss == pytest.approx(loss, rel=1e-5)
        assert_close(cached, whole, TOLERANCE)


@pytest.mark.parametrize("room", [HELD, Room(20, 0)], ids=["held", "cached"])
@pytest.mark.parametrize("name", ["tied", "untied", "no in-batch negatives"])
def test_it_is_the_gradient_of_one_graph(name, room):
    """Text by text, with what the teacher says of the rows that were read."""
    way = WAYS[name] | {"negatives": 2}
    model = retriever(rate=0, **way)
    stock, made = copy.deepcopy(model), stream(settings(**way)).batch(0)
    sides = []
    for encoder, texts in ((stock.queries, made.queries), (stock.passages, made.passages)):
        encoder.backbone.set_attn_implementation("eager")
        ids = [torch.from_numpy(row[row != SPECIAL["pad"]]) for row in assemble(texts, SPECIAL)]
        sides.append(torch.stack([plain.vector(encoder.backbone, one, "cls", None, False) for one in ids]))
    passages, queries = shown_and_asked(made)
    known = {
        "masked": torch.from_numpy(made.known["masked"]),
        "teacher": torch.from_numpy(TEACHER[queries][:, passages]),
    }
    expected = distilled(sides[0] @ sides[1].T, known)
    expected.backward()
    loss, got = run(model, way, room)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert_close(got, gradients(stock), TOLERANCE)


def test_labels_go_where_the_batch_goes():
    """Whatever their names and types, with their values as the batches gave them."""
    way = {"negatives": 2}
    made, known = rows(way, Room(20, 0)), stream(settings(**way), Taught).batch(0).known
    assert made.labels.keys() == known.keys() == {"targets", "masked", "own", "query", "passage", "teacher"}
    for name, label in known.items():
        assert made.labels[name].numpy().dtype == label.dtype and (made.labels[name].numpy() == label).all()
    there = made.to(torch.device("meta"))
    assert there.labels.keys() == known.keys()
    assert {label.device.type for label in there.labels.values()} == {"meta"}
    assert [label.shape for label in there.labels.values()] == [label.shape for label in made.labels.values()]
