"""mono-T5 in training: the loss is the library's own, in any chunks, dropout on; a ranker asks what was learned."""

import copy
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dewpoint.artifact import read_manifest
from dewpoint.batches import random
from dewpoint.data.dataset import Dataset
from dewpoint.data.negatives import read_negatives
from dewpoint.data.prompts import Prompts
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.errors import UserError
from dewpoint.losses import binary, contrast
from dewpoint.models.backbone import load_seq2seq
from dewpoint.models.seq2seq import as_read
from dewpoint.search.judging import Judge, read_judge
from dewpoint.training.answering import Objective, questions, start, texts
from dewpoint.training.chunks import Room
from dewpoint.training.scoring import Rows, instances
from training.conftest import ASKED, settings
from training.test_exact import assert_close, gradients

HELD = Room(10**6, 10**6)
LOSSES = {"binary": binary.work, "contrast": contrast.work}


def wanted(**changed) -> SimpleNamespace:
    values = settings(**ASKED | {"batch_size": 7} | changed)
    return SimpleNamespace(**values | {"loss": SimpleNamespace(temperature=0.5, **values["loss"])})


def answering(t5, rate: float | None = None, **changed):
    """The model, whose weights spread so that texts differ."""
    model = start(wanted(source=t5.source, **changed), None)
    torch.manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    for module in model.modules():
        if rate is not None and hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = rate
        if rate is not None and hasattr(module, "p"):
            module.p = rate
    return model.train()


def rows_of(world, t5, values, room: Room = HELD) -> tuple[Rows, Prompts]:
    store, words = TokenStore(t5.files["tokens"]), load_tokenizer(t5.files["tokenizer"].parent)
    given = SimpleNamespace(negatives=world.negatives, teacher=None)
    compose = partial(random.work, settings=None)
    made = instances(Dataset(world.dataset), values, given, *texts(store, words, values), compose)
    prompts = Prompts(words, values.passage_length, values.query_length, store.special["sep"])
    return Rows(made, store.special, partial(questions, prompts), room, seed=3), prompts


def run(world, t5, model, room: Room = HELD, step: int = 0, **changed):
    model.zero_grad(set_to_none=True)
    values = wanted(**changed)
    rows, prompts = rows_of(world, t5, values, room)
    loss = partial(LOSSES[values.loss.name], settings=values.loss)
    made = rows.batch(step)
    return Objective(model, values, loss, prompts.answers)(made), gradients(model), made


def written(world, t5, values, step: int) -> list[tuple[str, str]]:
    """(question, answer) of a step's rows as strings; whatever is judged relevant is no negative."""
    data, stream = Dataset(world.dataset), rows_of(world, t5, values)[0].stream
    known = stream.batch(step).known
    queries = data.column(f"queries.{values.split}", "text").to_pylist()
    titles, shown = (data.column("corpus", name).to_pylist() for name in ("title", "text"))
    each = len(known["passage"]) // len(known["query"])
    made = []
    for row, passage in enumerate(known["passage"].tolist()):
        read = as_read(titles[passage], shown[passage], values)
        answer = "true" if row % each == 0 else "false"
        made.append((f"Query: {queries[known['query'][row // each]]} Document: {read} Relevant:", answer))
    assert not known["masked"][known["own"]].any()  # or the mean would be of fewer
    return made


# --- the loss -----------------------------------------------------------------------------------

LONG = {"passage_prefix": "cold ", "passage_length": 200, "query_length": 60}  # so that nothing is cut


@pytest.mark.parametrize("negatives", [1, 3])
@pytest.mark.parametrize("step", [0, 2], ids=["whole batch", "last, short batch"])
def test_loss_and_gradients_are_those_of_the_library(world, t5, negatives, step):
    """Its own loss of its own tokens of the texts as they are asked, a pair at a time: -log P over all words."""
    model = answering(t5, rate=0)
    stock, words = copy.deepcopy(model.backbone), load_tokenizer(t5.files["tokenizer"].parent)
    stock.set_attn_implementation("eager")
    values = wanted(negatives_per_query=negatives, **LONG)
    pairs = written(world, t5, values, step)
    total = 0.0
    for question, answer in pairs:
        label = torch.tensor([[words.convert_tokens_to_ids(f"▁{answer}")]])
        loss = stock(**words(question, return_tensors="pt"), labels=label).loss / len(pairs)
        loss.backward()
        total += loss.item()
    found, got, _ = run(world, t5, model, step=step, negatives_per_query=negatives, **LONG)
    assert sum(found.values()) == pytest.approx(total, rel=1e-5)
    assert_close({name.removeprefix("backbone."): gradient for name, gradient in got.items()}, gradients(stock), 1e-3)


def test_over_two_words_it_is_what_is_asked_later(world, t5):
    """-log P(true) of positives and -log P(false) of negatives, as a ranker has them."""
    model = answering(t5, rate=0)
    values = wanted(**LONG)
    pairs = written(world, t5, values, 0)
    judge = Judge(model.backbone.eval(), load_tokenizer(t5.files["tokenizer"].parent), 200, 60)
    asked = [question.removeprefix("Query: ").removesuffix(" Relevant:").split(" Document: ") for question, _ in pairs]
    said = judge.mono(*map(list, zip(*asked, strict=True)))
    expected = [
        -one if answer == "true" else -np.log1p(-np.exp(one)) for one, (_, answer) in zip(said, pairs, strict=True)
    ]
    found, _, _ = run(world, t5, model.train(), vocabulary=False, **LONG)
    assert found == {"binary": pytest.approx(np.mean(expected), rel=1e-4)}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("chunk", [60, 200])
def test_chunks_never_matter_dropout_on(world, t5, loss, chunk):
    model = answering(t5)
    each = {"loss": {"name": loss}}
    value, whole, made = run(world, t5, model, **each)
    cached_value, cached, cut = run(world, t5, model, Room(chunk, 0), **each)
    assert made.once and not cut.once and len(cut.chunks) > len(made.chunks)
    assert cached_value == pytest.approx(value, rel=1e-5)
    assert_close(cached, whole, 1e-3)
    still, _, _ = run(world, t5, answering(t5, rate=0), **each)
    assert abs(still[loss] - value[loss]) > 1e-4  # dropout was on


def test_all_that_a_t5_drops_is_of_its_rows(world, t5):
    """In the encoder, the decoder and between: two passes are the same, and other keys drop otherwise."""
    model = answering(t5)
    one, _, made = run(world, t5, model)
    again, _, _ = run(world, t5, model)
    _, prompts = rows_of(world, t5, wanted())
    other = Objective(model, wanted(), partial(binary.work, settings=None), prompts.answers)
    keys = [chunk._replace(keys=chunk.keys + 1) for chunk in made.chunks]
    assert one == again and abs(sum(other(made._replace(chunks=keys)).values()) - sum(one.values())) > 1e-5


def test_in_bfloat16_the_loss_is_about_the_same(world, t5):
    model = answering(t5, rate=0)
    (full, _, _), (low, got, _) = (run(world, t5, model, precision=name) for name in ("float32", "bfloat16"))
    assert low != full and low == pytest.approx(full, rel=0.05)
    assert {gradient.dtype for gradient in got.values()} == {torch.float32}


def test_questions_are_cut_as_the_ranker_cuts_them(world, t5):
    """Ids of long texts, by way of the store and by way of strings."""
    values = wanted(query_length=3, passage_length=16, passage_prefix="cold ")
    rows, _ = rows_of(world, t5, values)
    model, words = load_seq2seq(t5.source), load_tokenizer(t5.files["tokenizer"].parent)
    judge, seen = Judge(model, words, 16, 3), {}
    for chunk in rows.batch(0).chunks:
        for row, ids, mask in zip(chunk.rows.tolist(), chunk.ids, chunk.mask.bool(), strict=True):
            seen[row] = ids[mask].tolist()
    for row, (question, _) in enumerate(written(world, t5, values, 0)):
        query, passage = question.removeprefix("Query: ").removesuffix(" Relevant:").split(" Document: ")
        assert seen[row] == judge.prompt(*judge.prompt.ids([query, passage]))
    assert max(map(len, seen.values())) == 16


# --- trained ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def monot5(trained, t5):
    def train(name: str, parent=None, **changed):
        files = t5.files | changed.pop("files", {})
        return trained("monot5", name, parent, files=files, **ASKED | {"source": t5.source} | changed)

    return train


def test_it_learns_and_is_read_by_who_asks(monot5, world):
    """The loss falls; the folder is a seq2seq's; positives get the higher scores."""
    made = monot5("learned", epochs=90, learning_rate=1e-2, negatives_per_query=1)
    lines = [json.loads(line) for line in (made.parent / "metrics.jsonl").open()]
    assert np.mean([one["loss"] for one in lines[-8:]]) < 0.5 * np.mean([one["loss"] for one in lines[:8]])
    assert all(one["loss"] == pytest.approx(one["binary"] + one["other_words"]) for one in lines)
    facts = read_manifest(made)["facts"]
    assert facts["instances"] == 20 and facts["steps"] == 360
    judge = read_judge(made, SimpleNamespace(precision="float32", passage_length=40, query_length=12))
    data, pools = Dataset(world.dataset), read_negatives(world.negatives)
    queries, shown = data.column("queries.train", "text").to_pylist(), data.column("corpus", "text").to_pylist()
    wins = []
    for query, passage in zip(*data.positives("train"), strict=True):
        own = np.searchsorted(pools.query, query)
        other = pools.passages[pools.offsets[own]]
        right, wrong = judge.mono([queries[query]] * 2, [shown[passage], shown[other]])
        wins.append(right > wrong)
    assert np.mean(wins) > 0.7


def test_its_card_says_how_it_is_asked(monot5, world):
    """The code in it gives the score that the ranker gives, and the rest is where it came from."""
    made = monot5("carded", epochs=1, learning_rate=1e-2)
    card = (made.parent / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\npipeline_tag: text-ranking\ntags: [transformers, monot5, ")
    assert "`data`: 40 passages; trained on 20 queries of `train`." in card
    code = card.split("```python\n")[1].split("```")[0]
    assert 'from_pretrained("carded")' in code
    query, passage = "cold glass", "dew on grass at night"
    code = code.replace('"carded"', repr(str(made.parent)))
    said = {}
    exec(code.replace("Query: … Document: …", f"Query: {query} Document: {passage}"), said)
    judge = read_judge(made, SimpleNamespace(precision="float32", passage_length=100, query_length=40))
    assert said["score"].item() == pytest.approx(judge.mono([query], [passage])[0], abs=1e-5)


def test_it_goes_on_from_its_folder(monot5):
    """At a rate of next to nothing weights stay the parent's."""
    first = monot5("first", epochs=1, learning_rate=1e-2)
    second = monot5("second", first, source="study", learning_rate=1e-12, epochs=1)
    before, after = (load_file(path.with_name("model.safetensors")) for path in (first, second))
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-6)


def test_what_writes_nothing_is_refused(trained, bert, monot5, world):
    with pytest.raises(UserError, match="models of class 'bert' write no texts here; known: t5, mt5"):
        monot5("no-t5", bert, source="study")
    with pytest.raises(UserError, match="has no token 'true', which mono-T5 and duo-T5 answer"):
        monot5("no-words", files={"tokenizer": world.tokenizer, "tokens": world.tokens})
