"""Training on examples: the papers' losses of texts each read alone, the same however and wherever it is worked on."""

import copy
import json
import subprocess
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import Dataset, DatasetWriter
from dewpoint.data.examples import ExampleBatches, ExampleTexts, pick
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore, assemble, write_tokens
from dewpoint.errors import UserError
from dewpoint.models import dropout
from dewpoint.models.encoder import Encoder, Retriever
from dewpoint.recipes.regression import squared_error
from dewpoint.recipes.triplet import hinge
from dewpoint.training import loop
from dewpoint.training.chunks import Room
from dewpoint.training.examples import Aim, Objective, Rows
from programs import arguments, command, shell
from training.conftest import read_by, sentence, settings
from training.test_devices import TORCHRUN, weights
from training.test_exact import assert_close, gradients
from training.test_ranking_exact import HELD, backbone

RECIPES = ("regression", "triplet")
SPLITS = dict(zip(RECIPES, ("train", "near"), strict=True))
SCALE = (1, 5)
COUNT = 23


@pytest.fixture(scope="session")
def examples(world) -> dict:
    """The files of a dataset with pairs from 1 to 5, and with triplets, by the world's tokenizer."""
    random = np.random.default_rng(3)
    artifact = Artifact(world.root / "examples" / "manifest.json")
    writer = DatasetWriter(artifact)
    for row in range(COUNT):
        texts = [sentence(random, 2 + (row * 5 + part) % 17) for part in range(3)]
        writer.example("", "train", tuple(texts[:2]), 1 + row % 5)
        writer.example("", "near", tuple(texts))
    artifact.facts["scale"] = SCALE
    writer.finish()
    artifact.seal()
    tokens = Artifact(world.root / "example-tokens" / "manifest.json")
    write_tokens(Dataset(artifact.manifest), load_tokenizer(world.tokenizer.parent), tokens)
    tokens.seal()
    return {"dataset": artifact.manifest, "tokens": tokens.manifest}


def told(recipe: str, **changed) -> dict:
    """What a recipe is told beside what all are."""
    return {"split": SPLITS[recipe], "train_examples": None, "margin": 5.0} | changed


@pytest.fixture(scope="session")
def encoder_of(trained, bert, examples):
    def train(recipe: str, name: str, **changed):
        parent = changed.pop("parent", bert)
        return trained(recipe, name, parent, files=examples, **told(recipe, **changed))

    return train


# --- which examples -----------------------------------------------------------------------------


def test_fewer_examples_are_a_part_of_more():
    drawn = [pick(1000, wanted, "train", seed=4) for wanted in (10, 300, 1000)]
    assert [len(one) for one in drawn] == [10, 300, 1000]
    assert set(drawn[0]) < set(drawn[1]) < set(drawn[2]) == set(range(1000))
    assert set(drawn[0]) != set(range(10)) and set(drawn[0]) != set(pick(1000, 10, "train", seed=5))
    assert (pick(1000, None, "train", seed=4) == np.arange(1000)).all()


def test_more_than_there_are_is_refused():
    with pytest.raises(UserError, match=r"^train_examples: 5,000 are wanted, but near has 1,000$"):
        pick(1000, 5000, "near", seed=1)


def stream_of(examples, recipe: str, **changed) -> tuple[ExampleBatches, TokenStore]:
    values = SimpleNamespace(**settings() | told(recipe) | changed)
    store = TokenStore(examples["tokens"])
    texts = ExampleTexts(store, values.split, values.passage_length, [])
    return ExampleBatches(Dataset(examples["dataset"]), texts, values), store


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_epoch_has_every_example_once_text_by_text_with_its_score(examples, world, recipe):
    stream, store = stream_of(examples, recipe, batch_size=6)
    texts, scores = Dataset(examples["dataset"]).examples(SPLITS[recipe])
    encode = partial(load_tokenizer(world.tokenizer.parent), truncation=True, max_length=24)
    expected = [tuple(tuple(encode(of[row].as_py())["input_ids"]) for of in texts) for row in range(COUNT)]
    for epoch in range(2):
        found = {}
        for step in range(epoch * 4, epoch * 4 + 4):
            made = stream.batch(step)
            ids = [tuple(row[row != store.special["pad"]]) for row in assemble(made.texts, store.special)]
            each = stream.texts.each
            assert len(ids) == each * (5 if step % 4 == 3 else 6)
            for number in range(len(ids) // each):
                value = made.known["score"][number] if recipe == "regression" else None
                found[tuple(ids[number * each : (number + 1) * each])] = value
        wanted = {one: None if scores is None else (scores[row] - 1) / 4 for row, one in enumerate(expected)}
        assert found == wanted


# --- the losses ---------------------------------------------------------------------------------


def finite_differences(loss, vectors: torch.Tensor) -> torch.Tensor:
    """The gradient, a number at a time."""
    step, found = 1e-6, torch.zeros_like(vectors)
    for at in range(vectors.numel()):
        moved = [vectors.clone(), vectors.clone()]
        for one, by in zip(moved, (step, -step), strict=True):
            one.view(-1)[at] += by
        found.view(-1)[at] = (loss(moved[0]) - loss(moved[1])) / (2 * step)
    return found


def check(loss, vectors: torch.Tensor, expected: float) -> None:
    vectors.requires_grad_()
    value = loss(vectors)
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(vectors.grad, finite_differences(loss, vectors.detach()), rtol=1e-6, atol=1e-8)


def test_regression_is_its_equation():
    vectors = torch.randn(7, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    scores = torch.linspace(0, 1, 7, dtype=torch.float64)
    terms = []
    for (one, other), score in zip(vectors.tolist(), scores.tolist(), strict=True):
        product = sum(a * b for a, b in zip(one, other, strict=True))
        lengths = [sum(a * a for a in of) ** 0.5 for of in (one, other)]
        terms.append((product / (lengths[0] * lengths[1]) - score) ** 2)
    check(lambda of: squared_error(of, {"score": scores}), vectors, sum(terms) / len(terms))


def test_triplets_are_their_equation():
    """Some are far enough apart already, and have no part in the gradient."""
    vectors = torch.randn(9, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    terms = []
    for anchor, positive, negative in vectors.tolist():
        near, far = (sum((a - b) ** 2 for a, b in zip(anchor, of, strict=True)) ** 0.5 for of in (positive, negative))
        terms.append(max(0.0, near - far + 0.7))
    assert 2 < sum(term == 0 for term in terms) < 7
    check(lambda of: hinge(of, {}, margin=0.7), vectors, sum(terms) / len(terms))


def test_texts_that_are_the_same_have_a_gradient_of_numbers():
    """Where a distance is 0 it has no slope; what is next to it has."""
    vectors = torch.ones(2, 3, 4, dtype=torch.float64)
    vectors[1, 2] += 0.5
    vectors.requires_grad_()
    hinge(vectors, {}, margin=5).backward()
    assert torch.isfinite(vectors.grad).all() and vectors.grad[1, 2].abs().sum() > 0


# --- a batch ------------------------------------------------------------------------------------

LOSSES = {"regression": squared_error, "triplet": partial(hinge, margin=0.5)}


def model_of(rate: float) -> Retriever:
    torch.manual_seed(0)
    model = Retriever(Encoder(backbone(16, rate), pooling="mean"))
    with torch.no_grad():
        for parameter in model.parameters():  # so that biases and norms count
            parameter += 0.1 * torch.randn_like(parameter)
    dropout.install(model, model.passages.backbone)
    return model.train()


def run(model: Retriever, examples, recipe: str, room: Room, step: int = 0):
    model.zero_grad(set_to_none=True)
    stream, store = stream_of(examples, recipe, batch_size=8)
    made = Rows(stream, store.special, room, seed=3).batch(step)
    aim = Aim("alike", LOSSES[recipe], "")
    objective = Objective(model, SimpleNamespace(precision="float32"), stream.texts.each, aim)
    return objective(made)["alike"], gradients(model), made


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("step", [0, 2], ids=["whole batch", "last, short batch"])
def test_loss_and_gradients_equal_a_plain_implementation(examples, recipe, step):
    """Text by text through the library's own attention."""
    model = model_of(0)
    stock = copy.deepcopy(model)
    stock.passages.backbone.set_attn_implementation("eager")
    stream, store = stream_of(examples, recipe, batch_size=8)
    made, vectors = stream.batch(step), []
    for row in assemble(made.texts, store.special):
        ids = torch.from_numpy(row[row != store.special["pad"]])
        vectors.append(stock.passages.backbone(ids[None]).last_hidden_state[0].mean(0))
    terms = []
    for number in range(len(vectors) // stream.texts.each):
        first, second, *third = vectors[number * stream.texts.each : (number + 1) * stream.texts.each]
        if third:
            terms.append(((first - second).norm() - (first - third[0]).norm() + 0.5).clamp(min=0))
        else:
            cosine = first @ second / (first.norm() * second.norm())
            terms.append((cosine - float(made.known["score"][number])) ** 2)
    expected = sum(terms) / len(terms)
    expected.backward()
    found, got, _ = run(model, examples, recipe, HELD, step)
    assert found == pytest.approx(expected.item(), rel=1e-5)
    assert_close(got, gradients(stock), 1e-3)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("chunk", [30, 90])
def test_chunks_never_matter_dropout_on(examples, recipe, chunk):
    model = model_of(0.2)
    value, whole, made = run(model, examples, recipe, HELD)
    cached_value, cached, cut = run(model, examples, recipe, Room(chunk, 0))
    assert made.once and not cut.once and len(cut.chunks) > len(made.chunks)
    assert len({tuple(part.ids.shape) for part in cut.chunks}) > 2  # uneven
    assert cached_value == pytest.approx(value, rel=1e-5)
    assert_close(cached, whole, 1e-3)
    assert abs(run(model_of(0), examples, recipe, HELD)[0] - value) > 1e-4  # dropout was on


# --- trained ------------------------------------------------------------------------------------


@pytest.fixture(scope="session", params=RECIPES)
def encoder(request, encoder_of):
    return encoder_of(request.param, f"{request.param}-encoder", pooling="mean")


def test_what_it_leaves(encoder):
    record = read_manifest(encoder)
    recipe, facts = encoder.parent.name.partition("-")[0], record["facts"]
    assert facts["examples"] == COUNT and facts["steps"] == 8 and facts["pooling"] == "mean" and facts["retrieves"]
    said = json.loads((encoder.parent / "config_sentence_transformers.json").read_text())
    assert said["similarity_fn_name"] == {"regression": "cosine", "triplet": "euclidean"}[recipe]
    assert {"model.safetensors", "modules.json", "tokenizer.json", "metrics.jsonl"} <= {*record["files"]}
    assert f"trained on {COUNT} of {COUNT} examples of `{SPLITS[recipe]}`" in (encoder.parent / "README.md").read_text()


def test_sentence_transformers_reads_it(encoder):
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(encoder.parent), device="cpu")
    first, second = model.encode(["dew on the grass", "cold water"])
    if encoder.parent.name.startswith("triplet"):
        expected = -np.linalg.norm(first - second)
    else:
        expected = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert model.similarity(first, second).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("recipe", RECIPES)
def test_training_lowers_the_loss(encoder_of, recipe):
    long = {"epochs": 60, "learning_rate": 3e-3, "pooling": "mean", "margin": 1.0}
    manifest = encoder_of(recipe, f"{recipe}-longer", **long)
    values = [json.loads(line)["loss"] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-8:]) < 0.5 * np.mean(values[:8])


def test_training_goes_on_from_its_folder_and_a_retriever_does(encoder, encoder_of, trained):
    """At a rate of next to nothing nothing changes; pooling is the parent's."""
    still = {"learning_rate": 1e-12, "epochs": 1}
    name = encoder.parent.name
    further = encoder_of("triplet", f"{name}-further", parent=encoder, **still)
    searched = trained("retriever", f"{name}-searched", encoder, **still)
    before = load_file(encoder.with_name("model.safetensors"))
    for made in (further, searched):
        assert read_manifest(made)["facts"]["pooling"] == "mean"
        for key, tensor in load_file(made.with_name("model.safetensors")).items():
            torch.testing.assert_close(tensor, before[key], rtol=0, atol=1e-6)


def test_two_encoders_or_many_vectors_are_no_start(trained, bert, encoder_of):
    two = trained("retriever", "two-encoders", bert, epochs=1, files={"queries_parent": bert}, query_source="study")
    late = trained("colbert", "many-vectors", bert, epochs=1)
    for name, parent, has in (("two", two, "an encoder of queries of its own"), ("late", late, "a vector for each to")):
        with pytest.raises(UserError, match=f"has {has}.*; training on examples starts from one encoder"):
            encoder_of("regression", f"from-{name}", parent=parent)


@pytest.mark.parametrize("recipe", RECIPES)
def test_interrupted_equals_straight(encoder_of, world, monkeypatch, recipe):
    straight = encoder_of(recipe, f"{recipe}-straight", checkpoint=1)
    clip, seen = torch.nn.utils.clip_grad_norm_, []

    def interrupt(*args):
        seen.append(args)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return clip(*args)

    monkeypatch.setattr(loop.nn.utils, "clip_grad_norm_", interrupt)
    with pytest.raises(KeyboardInterrupt):
        encoder_of(recipe, f"{recipe}-resumed", checkpoint=1)
    resumed = encoder_of(recipe, f"{recipe}-resumed", checkpoint=1)
    assert len(seen) == 3 + 6  # of 8 steps two were done
    for name in ("model.safetensors", "metrics.jsonl"):
        assert straight.with_name(name).read_bytes() == resumed.with_name(name).read_bytes()


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_process_equals_two(world, bert, examples, tmp_path, recipe):
    """Dropout on, rows of uneven lengths, several chunks, a last batch that is short and odd."""
    values = settings(source="study", batch_size=5, learning_rate=1e-2, pooling="mean") | told(recipe, margin=1.0)
    files = read_by(world, recipe, bert, **examples)
    one, two = (tmp_path / name / "manifest.json" for name in ("one", "two"))
    alone = shell(f"recipes.{recipe} work", one, values, **files, chunk=70, checkpoint=2)
    assert alone.returncode == 0, alone.stderr
    several = [*TORCHRUN, *command(f"recipes.{recipe} work"), *arguments(two, values, **files, chunk=70, checkpoint=2)]
    together = subprocess.run(several, capture_output=True, text=True)
    assert together.returncode == 0, together.stderr[-3000:]
    assert json.loads(two.read_text())["facts"]["devices"] == 2
    before, mine, theirs = (weights(path.parent) for path in (bert, one, two))
    assert max(float((mine[name] - before[name]).abs().max()) for name in before if name in mine) > 1e-2
    # what moves all scores of a row alike, or all vectors: Adam scales up its gradient, which is rounding
    still = ("key.bias", *(["layer.1.output.LayerNorm.bias"] if recipe == "triplet" else []))
    for name, tensor in mine.items():
        if not name.endswith(still):
            torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=1e-5, msg=name)
