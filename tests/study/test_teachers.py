"""Mistakes with teachers, losses in losses and clusters, each in one line with its place."""

import pytest

from dewpoint.errors import UserError
from dewpoint.study.load import load_study
from sample_study import load, write

FOLLOWS = "follows a teacher; name the ranker whose scores it takes: teacher: …"
OTHER = "}\n  other: {recipe: colbert, from: co, data: d, negatives: [bm25]"  # one more model, behind
MISTAKES = [
    ("loss: margin-mse", f"loss: 'margin-mse' {FOLLOWS}"),
    ("loss: {name: dual, in_batch: contrast}", f"loss: 'dual' {FOLLOWS}"),
    ("loss: {name: weighted, of: kl, weight: 2}", f"loss: 'weighted' {FOLLOWS}"),
    (
        "loss: {name: weighted, weight: 2, of: {name: weighted, of: kl, weight: 2}}",
        "loss.of: of another weighted loss; multiply the weights",
    ),
    ("batches: {name: tas-balanced, model: co}", f"batches: 'tas-balanced' {FOLLOWS}"),
    ("loss: kl, teacher: bm52", "teacher: no ranker 'bm52'; did you mean 'bm25'?"),
    ("loss: kl, teacher: first", "models.first: needs itself: models.first → rankers.first → models.first"),
    ("batches: {name: tas, model: con}", "batches.model: no model 'con'; did you mean 'co'?"),
    ("batches: {name: tas, model: first}", "models.first: needs itself: models.first → models.first"),
    ("negatives_by: bm25", "models.first: negatives_by goes with negatives_margin or negatives_share"),
    ("negatives_by: bm, negatives_margin: 1", "negatives_by: no ranker 'bm'"),
    ("teacher: bm25", "teacher: loss 'contrast' does not follow it, nor do the batches; margin-mse would"),
    ("in_batch_teacher: co, loss: kl", "in_batch_teacher: 'co' is no retriever; name a retriever or a colbert"),
    (
        f"in_batch_teacher: other{OTHER}",
        "in_batch_teacher: loss 'contrast' does not follow it; in-batch-margin-mse would",
    ),
    (
        f"in_batch_teacher: other, loss: kl, teacher: bm25{OTHER}",
        "teacher: loss 'kl' does not follow it, nor do the batches",
    ),
    (f"batches: {{name: tas, model: other}}{OTHER}", "batches.model: 'other' gives a vector for each token; name a"),
    ("negatives_skip: 200", "models.first: negatives_skip 200 of negatives_depth 200 leaves none"),
    ("batches: tas", "batches.model: Field required"),
    (
        "loss: {name: dual, in_batch: margin-mse}",
        "loss.in_batch: 'margin-mse' is no in-batch loss; in-batch-margin-mse or kl would be",
    ),
    ("loss: {name: dual, in_batch: k}", "loss.in_batch: unknown name 'k'; did you mean 'kl'?"),
    ("loss: {name: dual, in_batch: {name: kl, temprature: 2}}", "loss.in_batch.temprature: unknown key; did you mean"),
    ("loss: {name: lambda, gains: rang}", "loss.gains: Input should be 'value' or 'rank', found 'rang'"),
]


@pytest.mark.parametrize(("said", "message"), MISTAKES)
def test_a_mistake(tmp_path, said, message):
    path = write(tmp_path, ("negatives: [bm25]}", f"negatives: [bm25], {said}}}"))
    with pytest.raises(UserError) as error:
        load_study(path)
    place = "" if message.startswith("models") else "models.first."
    assert str(error.value).startswith(f"{path}: {place}{message}")
    assert len(str(error.value).splitlines()) == 1


def test_spans_have_no_teacher(tmp_path):
    with pytest.raises(UserError, match=r"models\.co\.loss: 'kl' follows a teacher, and spans have none"):
        load(tmp_path, ("seed: 7", "loss: kl"))


def test_what_a_kind_in_an_entry_names_is_taken_from_another_study(tmp_path):
    """Under the names that it has here."""
    said = "teacher: bm25, loss: kl, batches: {name: tas, model: condenser}"
    write(tmp_path, ("negatives: [bm25]}", f"negatives: [bm25], {said}}}"), name="theirs.yaml")
    study = load(tmp_path, ("from: co, data: d, negatives: [bm25, first]", "from: theirs/first, data: d"))
    taken = study.models["theirs.first"]
    assert (taken.teacher, taken.batches.model) == ("theirs.bm25", "theirs.condenser")
    assert "theirs.condenser" in study.models
