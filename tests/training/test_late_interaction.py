"""Late interaction is trained as it is defined, in any chunks, and teaches batches as they come."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dewpoint.data.dataset import Dataset
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.losses import dual, in_batch_margin_mse, margin_mse
from dewpoint.models.encoder import TOKENS
from dewpoint.models.folder import read_encoder
from dewpoint.training.chunks import Room
from dewpoint.training.given import InBatchTeacher as Read
from dewpoint.training.in_batch_teacher import InBatchTeacher, taught
from dewpoint.training.ranking import Rows
from dewpoint.training.sides import Sides
from training.conftest import DISTILLED, taught_by, taught_in_batches
from training.test_exact import assert_close, gradients
from training.test_ranking_exact import HELD, SPECIAL, objective, retriever, settings, stream

LATE = {"pooling": TOKENS, "normalize": True, "projection": SimpleNamespace(size=6, norm=False)}
SIDES = Sides(SPECIAL, SPECIAL, True)


def run(model, room: Room, filled: bool):
    model.zero_grad(set_to_none=True)
    wanted = settings(negatives=2, **LATE)
    of = stream(wanted)
    of.queries.fill = SPECIAL["mask"] if filled else None
    made = Rows(of, SIDES, room, seed=3).batch(0)
    return objective(model, wanted)(made)["contrast"], gradients(model)


def vectors(encoder, ids: list[int]) -> torch.Tensor:
    hidden = encoder.projection(encoder.backbone(torch.tensor([ids])).last_hidden_state[0])
    return hidden / hidden.norm(dim=1, keepdim=True)


def plainly(model, filled: bool) -> float:
    """Text by text, pair by pair; runs backward."""
    of, wanted = stream(settings(negatives=2, **LATE)), []
    made = of.batch(0)

    def tokens(parts, row: int) -> list[int]:
        texts = [part.values[part.starts[row] : part.starts[row] + part.counts[row]].tolist() for part in parts]
        return [SPECIAL["cls"], *(token for text in texts if text for token in [*text, SPECIAL["sep"]])]

    queries = [tokens(made.queries, row) for row in range(len(made.queries[0].counts))]
    if filled:
        queries = [query + [SPECIAL["mask"]] * (12 - len(query)) for query in queries]
    passages = [vectors(model.passages, tokens(made.passages, row)) for row in range(len(made.passages[0].counts))]
    for row, query in enumerate(queries):
        mine = vectors(model.queries, query)
        scores = torch.stack([(mine @ passage.T).max(1).values.sum() for passage in passages])
        scores = scores.masked_fill(torch.from_numpy(made.known["masked"][row]), -torch.inf)
        wanted.append(-scores.log_softmax(0)[made.known["targets"][row]])
    loss = torch.stack(wanted).mean()
    loss.backward()
    return loss.item()


@pytest.mark.parametrize("filled", [False, True], ids=["as they are", "filled with masks"])
@pytest.mark.parametrize("room", [HELD, Room(60, 0)], ids=["held", "cached"])
def test_loss_and_gradients_equal_plain_ones(room, filled):
    model = retriever(rate=0, **LATE)
    stock = copy.deepcopy(model)
    loss, got = run(model, room, filled)
    assert loss == pytest.approx(plainly(stock, filled), rel=1e-4)
    assert_close(got, gradients(stock), 1e-3)


def test_chunks_never_matter_dropout_on():
    model = retriever(rate=0.3, **LATE)
    loss, whole = run(model, HELD, True)
    cached_loss, cached = run(model, Room(30, 0), True)
    assert cached_loss == pytest.approx(loss, rel=1e-4)
    assert_close(cached, whole, 1e-3)
    model.eval()
    assert abs(run(model, HELD, True)[0] - loss) > 1e-4


# --- as a teacher -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def teacher(trained, bert):
    return trained("colbert", "colbert", bert, normalize=True, augmented=True, projection={"size": 6, "norm": False})


def test_it_learns(trained, bert):
    manifest = trained("colbert", "longer-colbert", bert, epochs=25, learning_rate=3e-3)
    losses = [json.loads(line)["contrast"] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(losses[-8:]) < 0.5 * np.mean(losses[:8])


def test_a_teachers_scores_are_those_of_its_vectors(world, teacher):
    """Of all queries with all passages, as its own settings have texts read, not as the student's."""
    student = SimpleNamespace(split="train", precision="float32", query_length=5)
    made = InBatchTeacher(Read(teacher, world.tokens, world.tokens), student, 64)
    query, passage = np.array([3, 7]), np.array([6, 14, 0, 39])
    scores = made.scores(made.batch({"query": query, "passage": passage, "masked": np.zeros((2, 4), bool)}))
    encoder, words = read_encoder(teacher.parent).eval(), load_tokenizer(teacher.parent)
    data = Dataset(world.dataset)
    asked = [data.column("queries.train", "text")[row].as_py() for row in query.tolist()]
    texts = [[data.column("corpus", name)[row].as_py() for name in ("title", "text")] for row in passage.tolist()]
    expected = torch.empty(2, 4)
    with torch.no_grad():
        for row, question in enumerate(asked):
            ids = words(question, truncation=True, max_length=12)["input_ids"]
            mine = vectors(encoder, ids + [words.mask_token_id] * (12 - len(ids)))
            for at, (title, text) in enumerate(texts):
                pair = [title, text] if title else [text]
                ids = words(*pair, truncation="only_second" if title else True, max_length=24)["input_ids"]
                expected[row, at] = (mine @ vectors(encoder, ids).T).max(1).values.sum()
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-4)


def test_each_teacher_has_its_part():
    """The one of batches takes the place of the run's scores, which remain for what is pairwise."""
    random = torch.Generator().manual_seed(2)
    scores, run, live = torch.randn(3, 2, 4, generator=random)
    known = {
        "targets": torch.tensor([0, 2]),
        "masked": torch.zeros(2, 4, dtype=torch.bool),
        "own": torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1]]).bool(),
        "teacher": run,
    }
    both = taught(known, live, True)
    in_batch = SimpleNamespace(name="in-batch-margin-mse", scale="mean", teacher_scale=0.1)
    how = SimpleNamespace(alpha=0.5, in_batch=in_batch, teacher_scale=2.0)
    pairwise = margin_mse.work(scores, known | {"teacher": run}, how)
    in_batch = in_batch_margin_mse.work(scores, known | {"teacher": live}, how.in_batch)
    torch.testing.assert_close(dual.work(scores, both, how), pairwise + 0.5 * in_batch)
    torch.testing.assert_close(in_batch_margin_mse.work(scores, both, how.in_batch), in_batch)
    alone = taught({name: known[name] for name in known if name != "teacher"}, live, False)
    assert alone["teacher"].isnan().tolist() == (~known["own"]).tolist() and "pairwise" not in alone


def test_a_student_comes_nearer_to_both_its_teachers(trained, world, bert, teacher):
    files = taught_by(world) | taught_in_batches(world, teacher)
    manifest = trained("retriever", "dually", bert, files=files, **DISTILLED, epochs=25, learning_rate=3e-3)
    values = [json.loads(line)["dual"] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-8:]) < 0.8 * np.mean(values[:8])
