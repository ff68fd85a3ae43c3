"""mono-T5 and duo-T5: scores are those of a plain forward pass of the library over the prompt as it is written."""

import copy

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from dewpoint.data.prompts import shared
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.backbone import load_seq2seq
from dewpoint.models.stand_in import stand_in
from dewpoint.search.judging import AGGREGATES, Judge
from models.families import words

WORDS = ["Query:", "Document:", "Document0:", "Document1:", "Relevant:", "true", "false", "river", "castle", "a", "at"]
QUERIES = ["river castle", "a river", "castle castle at"]
PASSAGES = ["castle at a river", "river", "a a castle at river at castle a river castle"]


@pytest.fixture(scope="module")
def t5():
    """(a model, a tokenizer as T5 has it)"""
    tokenizer = words(WORDS)
    shape = {"d_model": 24, "num_layers": 2, "num_heads": 3, "d_kv": 8, "d_ff": 32, "feed_forward_proj": "gated-gelu"}
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(2)
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", vocab_size=len(tokenizer), **shape, **ids))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model.eval(), tokenizer


@torch.no_grad()
def plain(t5, prompt: str) -> float:
    """log P(true) by the library, a text at a time."""
    model, tokenizer = t5
    start = torch.full((1, 1), model.config.pad_token_id)
    logits = model(**tokenizer(prompt, return_tensors="pt"), decoder_input_ids=start).logits[0, 0]
    answers = [tokenizer.convert_tokens_to_ids(f"▁{word}") for word in ("true", "false")]
    return torch.log_softmax(logits[answers], 0)[0].item()


@pytest.mark.parametrize("tokens", [1, 40, 10_000])
def test_mono_is_a_plain_forward_pass(t5, tokens):
    pairs = [(query, passage) for query in QUERIES for passage in PASSAGES]
    found = Judge(*t5, 512, 64, tokens).mono(*map(list, zip(*pairs, strict=True)))
    known = [plain(t5, f"Query: {query} Document: {passage} Relevant:") for query, passage in pairs]
    np.testing.assert_allclose(found, known, atol=1e-5)
    assert found.dtype == np.float32 and np.ptp(found) > 0.01


def test_duo_is_a_plain_forward_pass(t5):
    found = Judge(*t5, 512, 64, 50).duo(QUERIES[0], PASSAGES)
    for one, first in enumerate(PASSAGES):
        for other, second in enumerate(PASSAGES):
            prompt = f"Query: {QUERIES[0]} Document0: {first} Document1: {second} Relevant:"
            assert found[one, other] == pytest.approx(0 if one == other else np.exp(plain(t5, prompt)), abs=1e-5)


def test_aggregates_worked_by_hand():
    """s_0 = p_01 + p_02 and, symmetric, p_01 + 1 - p_10 + p_02 + 1 - p_20."""
    p = np.array([[0, 0.9, 0.6], [0.2, 0, 0.7], [0.5, 0.1, 0]])
    np.testing.assert_allclose(AGGREGATES["sum"](p), [1.5, 0.9, 0.6])
    np.testing.assert_allclose(AGGREGATES["sym-sum"](p), [1.5 + 2 - 0.7, 0.9 + 2 - 1.0, 0.6 + 2 - 1.3])


def test_one_passage_and_none_have_nobody_to_be_compared_with(t5):
    judge = Judge(*t5, 512, 64)
    assert judge.duo("a river", ["castle"]).tolist() == [[0]] and judge.duo("a river", []).shape == (0, 0)
    assert AGGREGATES["sym-sum"](np.zeros((1, 1))).tolist() == [0]
    assert judge.mono([], []).tolist() == []


def test_a_long_passage_is_cut_at_its_end_and_the_question_kept(t5):
    long = " ".join(["castle river"] * 40)
    length = len(t5[1](f"Query: {QUERIES[0]} Document: {' '.join(['castle river'] * 3)} Relevant:")["input_ids"])
    found = Judge(*t5, length, 64).mono([QUERIES[0]], [long])
    assert found[0] == pytest.approx(
        plain(t5, f"Query: {QUERIES[0]} Document: {'castle river ' * 3}Relevant:"), abs=1e-5
    )
    cut = Judge(*t5, 512, 2).mono(["river castle a at"], ["castle"])
    assert cut[0] == pytest.approx(plain(t5, "Query: river castle Document: castle Relevant:"), abs=1e-5)


@pytest.mark.parametrize(
    ("lengths", "kept"), [([50, 50], [10, 10]), ([3, 50], [3, 17]), ([50, 3], [17, 3]), ([4, 5], [4, 5]), ([99], [20])]
)
def test_a_short_passage_leaves_its_room_to_the_other(lengths, kept):
    assert shared(20, lengths) == kept


def test_no_room_for_a_passage_is_one_line(t5):
    with pytest.raises(UserError, match=r"^5 tokens leave no room for a passage beside a query; take more"):
        Judge(*t5, 5, 64).mono(["river castle"], ["castle"])


def test_a_tokenizer_without_the_answers_is_one_line(t5):
    with pytest.raises(UserError, match=r"has no token 'true', which mono-T5 and duo-T5 answer"):
        Judge(t5[0], words(["river", "castle", "rate", "u"]), 512, 64)


def test_a_stand_in_answers(tmp_path):
    """What takes the place of a released model in a rehearsal has the words that it is asked for."""
    stand_in("castorini/monot5-base-msmarco", lambda: [["dew point of warm air"] * 3], 1, tmp_path)
    judge = Judge(load_seq2seq(tmp_path).eval(), load_tokenizer(tmp_path), 64, 16)
    assert len({*judge.mono(["dew", "dew", "warm"], ["point", "air", "air"]).tolist()}) == 3


def test_in_bfloat16_scores_are_about_the_same_and_told_apart(t5):
    low = copy.deepcopy(t5[0]).to(torch.bfloat16), t5[1]
    asked = [QUERIES[0]] * 40, ["castle " * count + "river" for count in range(40)]
    found, known = (Judge(*one, 512, 64).mono(*asked) for one in (low, t5))
    np.testing.assert_allclose(found, known, atol=0.1)
    assert len({*found.tolist()}) > 35
