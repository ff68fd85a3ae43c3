"""Cross-encoders: the loss is the paper's in any chunks, dropout on; the folder loads in other libraries."""

import copy
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from dewpoint.artifact import Artifact
from dewpoint.data.pairs import joint, pairs
from dewpoint.data.tokenizer import load_tokenizer, special_tokens
from dewpoint.data.tokens import Slices, assemble, input_lengths
from dewpoint.errors import UserError
from dewpoint.losses import binary, contrast, margin_mse
from dewpoint.models import dropout
from dewpoint.models.backbone import load_encoder
from dewpoint.models.crossencoder import SCORE, CrossEncoder, read_crossencoder, write_crossencoder
from dewpoint.program import namespace
from dewpoint.study.kind import work_of
from dewpoint.training.chunks import Room
from dewpoint.training.scoring import Objective, Rows, both
from models.families import CAUSAL, FAMILIES, make
from training.conftest import settings
from training.test_exact import assert_close, gradients
from training.test_ranking_exact import HELD, SPECIAL, backbone, stream
from training.test_ranking_exact import settings as of_stream

ASKED = ["dew point of", "cold glass", "river"]
SHOWN = ["warm air at night: stone, leaf!", "the vapour", "morning grass and cold glass of the river"]
ENCODERS = [family for family in FAMILIES if family != "t5"]
TRAINED = [family for family in ENCODERS if family not in ("modernbert", *CAUSAL)]
JOINT = SimpleNamespace(between=(SPECIAL["sep"],), tokens=1, typed=True)
LOSSES = {"contrast": (contrast, {"temperature": 0.5}), "binary": (binary, {})}


def crossencoder(rate: float = 0.2) -> CrossEncoder:
    torch.manual_seed(0)
    model = CrossEncoder(backbone(16, rate), nn.Linear(16, 1), typed=True)
    with torch.no_grad():
        for parameter in model.parameters():  # so that biases and norms count
            parameter += 0.1 * torch.randn_like(parameter)
    dropout.install(model, model.backbone)
    return model.train()


def wanted(loss: str, negatives: int):
    values = of_stream(negatives, in_batch=False)
    values.loss = SimpleNamespace(name=loss, **LOSSES[loss][1])
    return values


def run(model: CrossEncoder, room: Room, loss: str = "contrast", negatives: int = 3, step: int = 0):
    model.zero_grad(set_to_none=True)
    values = wanted(loss, negatives)
    made = Rows(stream(values), SPECIAL, partial(both, SPECIAL, JOINT), room, seed=3).batch(step)
    objective = Objective(model, values, partial(LOSSES[loss][0].work, settings=values.loss))
    return objective(made)[loss], gradients(model), made


# --- the loss -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("negatives", [1, 3])
@pytest.mark.parametrize("step", [0, 1], ids=["whole batch", "last, short batch"])
def test_loss_and_gradients_equal_a_plain_implementation(loss, negatives, step):
    """Pair by pair through the library's own attention, types and all; what is judged relevant is no negative."""
    model = crossencoder(rate=0)
    stock = copy.deepcopy(model)
    stock.backbone.set_attn_implementation("eager")
    made = stream(wanted(loss, negatives)).batch(step)
    asked, shown = (
        [row[row != SPECIAL["pad"]] for row in assemble(texts, SPECIAL)] for texts in (made.queries, made.passages)
    )
    terms, each = [], 1 + negatives
    for query, ids in enumerate(asked):
        scores = []
        for passage in range(query * each, (query + 1) * each):
            pair = torch.tensor([[*ids, *shown[passage][1:]]])
            types = torch.tensor([[0] * len(ids) + [1] * (len(shown[passage]) - 1)])
            cls = stock.backbone(pair, token_type_ids=types).last_hidden_state[0, 0]
            scores.append(cls @ stock.linear.weight[0] + stock.linear.bias[0])
        free = ~made.known["masked"][query, query * each : (query + 1) * each]
        others = [score for score, counts in zip(scores[1:], free[1:], strict=True) if counts]
        if loss == "contrast":
            terms.append(torch.stack([scores[0], *others]).div(0.5).logsumexp(0) - scores[0] / 0.5)
        else:
            terms.append((sum(map(nn.functional.softplus, others)) + nn.functional.softplus(-scores[0])) / free.sum())
    expected = sum(terms) / len(terms)
    expected.backward()
    found, got, _ = run(model, HELD, loss, negatives, step)
    assert found == pytest.approx(expected.item(), rel=1e-5)
    assert_close(got, gradients(stock), 1e-3)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("chunk", [30, 90])
def test_chunks_never_matter_dropout_on(loss, chunk):
    model = crossencoder()
    value, whole, made = run(model, HELD, loss)
    cached_value, cached, cut = run(model, Room(chunk, 0), loss)
    assert made.once and not cut.once and len(cut.chunks) > len(made.chunks)
    assert len({tuple(part.ids.shape) for part in cut.chunks}) > 2  # uneven
    assert cached_value == pytest.approx(value, rel=1e-5)
    assert_close(cached, whole, 1e-3)
    assert abs(run(crossencoder(rate=0), HELD, loss)[0] - value) > 1e-4  # dropout was on


def test_a_query_is_scored_with_its_own_passages_alone():
    """The gradient of one query's loss reaches the rows of its own passages, and no other."""
    made = stream(wanted("contrast", 2)).batch(0)
    queries, rows = made.known["masked"].shape
    assert queries > 3 and made.known["masked"].sum(1).min() >= rows - 3
    for row in range(queries):
        assert not set(np.flatnonzero(~made.known["masked"][row])) - {3 * row, 3 * row + 1, 3 * row + 2}


def test_a_teacher_is_followed_on_a_querys_own_passages():
    """Margin-MSE is its equation over own pairs alone, though the teacher has scores of all."""
    model, values = crossencoder(rate=0), wanted("contrast", 3)
    values.loss = SimpleNamespace(name="margin-mse", teacher_scale=1.0)
    made = Rows(stream(values), SPECIAL, partial(both, SPECIAL, JOINT), HELD, seed=3).batch(0)
    teacher = torch.randn(made.labels["masked"].shape, generator=torch.Generator().manual_seed(2))
    found = Objective(model, values, partial(margin_mse.work, settings=values.loss))(
        made._replace(labels=made.labels | {"teacher": teacher})
    )
    scores = torch.empty(made.rows)
    with torch.no_grad():
        for chunk in made.chunks:
            scores[chunk.rows] = model(chunk.ids, chunk.mask, chunk.second)
    terms = []
    for query, positive in enumerate(made.labels["targets"].tolist()):
        for row in range(positive + 1, positive + 4):
            if not made.labels["masked"][query, row]:
                margin = teacher[query, positive] - teacher[query, row]
                terms.append(float(scores[positive] - scores[row] - margin) ** 2)
    assert len(terms) > 15
    assert found["margin-mse"] == pytest.approx(sum(terms) / len(terms), rel=1e-5)


# --- pairs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs_are_as_the_tokenizer_makes_them(family, tmp_path):
    """Ids, and where the second text begins; empty texts, too."""
    words = load_tokenizer(make(family, tmp_path))
    special, how = special_tokens(words), joint(words)
    asked, shown = [*ASKED, "", "dew", ""], [*SHOWN, "grass", "", ""]
    sides = []
    for texts in (asked, shown):
        ids = [words(text, add_special_tokens=False)["input_ids"] for text in texts]
        counts = np.array(list(map(len, ids)))
        flat = np.array([token for one in ids for token in one])

        sides.append([Slices(flat, np.cumsum(counts) - counts, counts)])
    made = pairs(*sides, special, how)
    rows, lengths = assemble(made.segments, special), input_lengths(made.segments, special)
    for row, (one, other) in enumerate(zip(asked, shown, strict=True)):
        batch = words([one], [other], return_token_type_ids=True)  # of one pair; a text alone may be none
        expected = {name: values[0] for name, values in batch.items()}
        assert rows[row, : lengths[row]].tolist() == expected["input_ids"]
        if how.typed:
            assert expected["token_type_ids"].index(1) == made.second[row]


def test_a_tokenizer_that_joins_texts_otherwise_is_refused(tmp_path):
    from tokenizers.processors import TemplateProcessing

    words = load_tokenizer(make("bert", tmp_path))
    special = [("[CLS]", words.cls_token_id), ("[SEP]", words.sep_token_id)]
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="$A [SEP] $B [CLS]", special_tokens=special
    )
    with pytest.raises(UserError, match="its tokenizer joins two texts in a way that is not known here"):
        joint(words)


# --- the folder ---------------------------------------------------------------------------------


def plain_scores(folder, asked: list[str], shown: list[str]) -> list[float]:
    model, words = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    given = words(asked, shown, padding=True, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**given).logits[:, 0].tolist()


@pytest.mark.parametrize("family", TRAINED)
def test_the_folder_gives_the_same_scores_in_other_libraries(family, tmp_path):
    """A linear layer on CLS, whatever the family's own head has between, and read again as it was."""
    words = load_tokenizer(make(family, tmp_path / "start"))
    how, special = joint(words), special_tokens(words)
    model = read_crossencoder(tmp_path / "start", how, seed=1)
    with torch.no_grad():
        model.linear.weight *= 60
        model.linear.bias += 3  # scores as large as trained ones
    write_crossencoder(tmp_path, model, words, 64, "card")
    again = read_crossencoder(tmp_path, how).eval()
    assert torch.equal(again.linear.weight, model.linear.weight)
    ours = []
    for one, other in zip(ASKED, SHOWN, strict=True):
        ids = torch.tensor([words(one, other)["input_ids"]])
        second = torch.tensor([len(words(one)["input_ids"]) - 1 + how.tokens])
        with torch.no_grad():
            ours.append(again(ids, torch.ones_like(ids), second).item())
    assert special["sep"] in ids[0] and max(map(abs, ours)) > 1
    np.testing.assert_allclose(plain_scores(tmp_path, ASKED, SHOWN), ours, atol=1e-5)
    sentence_transformers = pytest.importorskip("sentence_transformers")
    theirs = sentence_transformers.CrossEncoder(str(tmp_path), device="cpu")
    np.testing.assert_allclose(theirs.predict(list(zip(ASKED, SHOWN, strict=True))), ours, atol=1e-5)


def released(folder, labels: int = 1, family: str = "bert"):
    """A model for sequence classification with a tokenizer, as others make it."""
    words = load_tokenizer(make(family, folder / "encoder"))
    torch.manual_seed(5)
    config = load_encoder(folder / "encoder").config
    config.num_labels = labels
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder, words


@pytest.mark.parametrize("family", ENCODERS)
def test_what_others_released_keeps_its_head(family, tmp_path):
    folder, words = released(tmp_path / "theirs", family=family)
    before = plain_scores(folder, ASKED, SHOWN)
    model = read_crossencoder(folder, joint(words), seed=1)
    assert model.linear is None
    write_crossencoder(tmp_path / "ours", model, words, 64, "card")
    assert not (tmp_path / "ours" / SCORE).exists()
    np.testing.assert_allclose(plain_scores(tmp_path / "ours", ASKED, SHOWN), before, atol=1e-6)


def test_models_that_are_no_cross_encoder_are_refused(tmp_path):
    several, words = released(tmp_path / "three", labels=3)
    how = joint(words)
    with pytest.raises(UserError, match="gives 3 labels; a cross-encoder gives one score"):
        read_crossencoder(several, how, seed=1)
    with pytest.raises(UserError, match=r"no cross-encoder, it has neither score\.safetensors nor a head"):
        read_crossencoder(several / "encoder", how)
    with pytest.raises(UserError, match="models of class 't5' make no cross-encoder here"):
        read_crossencoder(make("t5", tmp_path / "t5"), how, seed=1)
    with pytest.raises(
        UserError, match="models of class 'modernbert' have a head in which a linear layer has no place"
    ):
        read_crossencoder(make("modernbert", tmp_path / "modern"), how, seed=1)
    one, _ = released(tmp_path / "one")
    save_file({"weight": torch.zeros(1, 3), "bias": torch.zeros(1)}, one / SCORE)
    with pytest.raises(UserError, match="not the weight and bias of a layer from 16 to 1"):
        read_crossencoder(one, how)
    (one / SCORE).write_bytes(b"pickle")
    with pytest.raises(UserError, match="damaged, not safetensors"):
        read_crossencoder(one, how)
    (one / SCORE).unlink()
    weights = load_file(one / "model.safetensors")
    save_file({name: value for name, value in weights.items() if "classifier" not in name}, one / "model.safetensors")
    with pytest.raises(UserError, match=r"its weights lack 2 of this model's, such as classifier\.bias"):
        read_crossencoder(one, how)


def test_what_others_released_is_taken_as_it_is(world, tmp_path):
    """A language model is none; a rehearsal's, which stands for one, is."""
    folder, _ = released(tmp_path / "theirs")
    words = tmp_path / "theirs" / "manifest.json"
    values = settings(source=str(folder), recipe="released-crossencoder")

    def taken(name: str, source, stand_ins=()):
        artifact = Artifact(tmp_path / name / "manifest.json", values | {"source": str(source)})
        try:
            work_of("recipes", "released-crossencoder")(
                artifact, namespace(json.dumps(artifact.settings)), words, [*stand_ins]
            )
            artifact.seal()
        finally:
            artifact.discard()
        return artifact.folder

    made = taken("ours", folder)
    np.testing.assert_allclose(plain_scores(made, ASKED, SHOWN), plain_scores(folder, ASKED, SHOWN), atol=1e-6)
    assert json.loads((made / "manifest.json").read_text())["facts"]["parameters"] > 1000
    with pytest.raises(UserError, match="no cross-encoder, it has neither"):
        taken("none", folder / "encoder")
    assert (taken("rehearsed", folder / "encoder", [words]) / SCORE).is_file()


# --- trained ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def scorer(trained, bert):
    return trained("crossencoder", "crossencoder", bert)


def test_what_it_leaves(scorer, world):
    facts = json.loads(scorer.read_text())["facts"]
    assert facts["instances"] == 20 and facts["steps"] == 8
    assert {"model.safetensors", SCORE, "tokenizer.json", "metrics.jsonl", "README.md"} <= {
        path.name for path in scorer.parent.iterdir()
    }
    assert load_tokenizer(scorer.parent).model_max_length == 12 + 24 - 1
    assert "CrossEncoder(" in (scorer.parent / "README.md").read_text()


def test_training_lowers_the_loss(trained, bert):
    manifest = trained("crossencoder", "longer-pairs", bert, epochs=80, learning_rate=3e-3, negatives_per_query=1)
    values = [json.loads(line)["contrast"] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-8:]) < 0.8 * np.mean(values[:8])


def test_training_goes_on_from_its_folder(trained, scorer):
    """At a rate of next to nothing the layer stays the parent's."""
    next_one = trained("crossencoder", "pairs-from-node", scorer, learning_rate=1e-12, epochs=1)
    before, after = (load_file(path.with_name(SCORE)) for path in (scorer, next_one))
    torch.testing.assert_close(after["weight"], before["weight"], rtol=0, atol=1e-6)


def test_other_seeds_begin_with_other_layers(trained, bert):
    same, other = (trained("crossencoder", f"seed-{seed}", bert, seed=seed, learning_rate=1e-12) for seed in (3, 4))
    assert not torch.allclose(*(load_file(path.with_name(SCORE))["weight"] for path in (same, other)), atol=1e-4)


def test_a_teacher_that_lacks_pairs_is_refused_or_passed_over(trained, world, bert):
    """The run that gave the negatives lacks some positives."""
    taught = {"loss": {"name": "margin-mse", "teacher_scale": 1.0}, "files": {"teacher": world.run}, "epochs": 1}
    with pytest.raises(UserError, match=r"teacher: run .* lacks"):
        trained("crossencoder", "badly-taught", bert, **taught)
    made = trained("crossencoder", "taught", bert, unscored="skipped", **taught)
    assert "margin-mse" in (made.parent / "metrics.jsonl").read_text()


def test_a_small_chunk_trains_the_same(trained, bert):
    """Under a loss that says how high scores are: to one of differences the layer's bias is nothing but rounding."""
    each = {"loss": {"name": "binary"}, "learning_rate": 1e-2}
    large, small = (trained("crossencoder", f"chunk-{chunk}", bert, chunk=chunk, **each) for chunk in (8192, 40))
    for name, tensor in load_file(large.with_name(SCORE)).items():
        torch.testing.assert_close(load_file(small.with_name(SCORE))[name], tensor, rtol=0, atol=1e-4)


def test_what_is_too_long_is_refused(trained, bert):
    with pytest.raises(UserError, match="a query and a passage: length 65, but the model has 64 positions"):
        trained("crossencoder", "too-long", bert, passage_length=54)
