"""A T5 that others made: whole, with its decoder, and nothing of it run."""

import pickle

import pytest
import torch
from transformers import T5EncoderModel

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_encoder, load_seq2seq
from dewpoint.models.seq2seq import in_batches
from dewpoint.models.stand_in import stand_in
from programs import call

TEXTS = ["dew point of warm air", "cold glass and morning grass"]


@pytest.fixture
def folder(tmp_path):
    stand_in("org/t5", lambda: [TEXTS], 1, tmp_path / "t5")
    return tmp_path / "t5"


def test_what_the_recipe_makes_is_what_it_was_given(folder, tmp_path):
    tokenizer = call("tokenizer", tmp_path / "words" / "manifest.json", {"source": str(folder)})
    made = call(
        "recipes.seq2seq work", tmp_path / "made" / "manifest.json", {"source": str(folder)}, tokenizer=tokenizer
    )
    before, after = (load_seq2seq(place).state_dict() for place in (folder, made.parent))
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert load_tokenizer(made.parent)(TEXTS)["input_ids"] == load_tokenizer(folder)(TEXTS)["input_ids"]


def test_the_encoder_alone_is_read_from_it_as_well(folder):
    words, whole = load_encoder(folder).state_dict(), load_seq2seq(folder).state_dict()
    assert all(torch.equal(words[name], whole[name]) for name in words) and len(words) < len(whole)


def test_another_class_is_one_line(tmp_path):
    stand_in("org/bert", lambda: [TEXTS], 1, tmp_path)
    with pytest.raises(UserError, match=r"models of class 'bert' write no texts here; known: t5, mt5$"):
        load_seq2seq(tmp_path)


def test_a_decoder_that_is_not_there_is_not_made_up(folder):
    T5EncoderModel.from_pretrained(folder).save_pretrained(folder)
    with pytest.raises(UserError, match=r"its weights lack \d+ of this model's, such as decoder\.block\.0"):
        load_seq2seq(folder)


def test_pickled_weights_are_refused_and_what_would_convert_them_said(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(1))
    right = r"@refs/pr/N where the hub converted it\), or where you trust it: AutoModelForSeq2SeqLM\.from_pretrained"
    with pytest.raises(UserError, match=rf"its weights are pickled \(pytorch_model.bin\), .*{right}"):
        load_seq2seq(folder)


def test_a_snapshot_of_a_hub_without_safetensors_says_what_would_be_right(folder, tmp_path):
    """Nothing pickled is fetched, so that nothing of it is there to be named."""
    (folder / "model.safetensors").unlink()
    snapshot = tmp_path / "snapshots" / "abc"
    folder.rename(snapshot) if snapshot.parent.mkdir() is None else None
    with pytest.raises(UserError, match=r"has no model.safetensors, and .* take a revision that has them"):
        load_seq2seq(snapshot)


@pytest.mark.parametrize(
    ("most", "batches"), [(1, [[2], [0], [3], [1]]), (10, [[2], [0, 3], [1]]), (99, [[2, 0, 3, 1]])]
)
def test_batches_are_of_like_sizes(most, batches):
    found = []
    in_batches([5, 1, 9, 5], most, found.append)
    assert found == batches


def test_where_memory_is_too_small_half_as_much_is_tried(caplog):
    tried = []

    def work(rows):
        tried.append(rows)
        if len(rows) > 2:
            raise torch.OutOfMemoryError

    in_batches([2] * 7, 14, work)
    assert tried == [[0, 1, 2, 3, 4, 5, 6], [0, 1, 2], [0], [1], [2], [3], [4], [5], [6]]
    assert "7 texts at once do not fit" in caplog.text

    def never(rows):
        raise torch.OutOfMemoryError

    with pytest.raises(UserError, match="one text does not fit into the GPU's memory"):
        in_batches([2, 3], 14, never)
