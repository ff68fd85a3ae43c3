"""Backbones: masked language models of the Hugging Face library, made from scratch or loaded."""

import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from torch import nn

from dewpoint.errors import UserError
from dewpoint.lease import take_device

leases = []  # of this process, until it ends


@cache
def pick_device() -> torch.device:
    """The GPU that the scheduler chose, or one that is free; the CPU when there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return torch.device("cuda", 0)
    number, lease = take_device(torch.cuda.device_count())
    leases.append(lease)
    return torch.device("cuda", number)


@contextmanager
def precision(name: str, device: torch.device):
    """Autocast to bfloat16 when asked, or when `auto` finds a GPU; weights and optimizer stay in float32."""
    low = name == "bfloat16" or (name == "auto" and device.type == "cuda")
    with torch.autocast(device.type, torch.bfloat16, enabled=low):
        yield


def from_scratch(architecture, vocabulary: int, pad: int):
    """A new BERT of the given shape. Its weights spread so that a layer's output varies as in BERT base."""
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(
        BertConfig(
            vocab_size=vocabulary,
            num_hidden_layers=architecture.layers,
            hidden_size=architecture.hidden,
            num_attention_heads=architecture.heads or max(1, architecture.hidden // 64),
            intermediate_size=architecture.intermediate or 4 * architecture.hidden,
            max_position_embeddings=architecture.positions,
            hidden_dropout_prob=architecture.dropout,
            attention_probs_dropout_prob=architecture.dropout,
            pad_token_id=pad,
            initializer_range=0.02 * (768 / architecture.hidden) ** 0.5,
        )
    )


def load_language_model(source: str | Path):
    """A masked language model from a folder or a hub id, in float32 masters."""
    from transformers import AutoModelForMaskedLM

    return _load(AutoModelForMaskedLM, source, dtype=torch.float32)


def load_encoder(source: str | Path):
    """The encoder alone, without language-model head or pooler."""
    from transformers import AutoConfig, AutoModel

    pooler = {"add_pooling_layer": False} if _load(AutoConfig, source).model_type in ("bert", "roberta") else {}
    return _load(AutoModel, source, dtype=torch.float32, **pooler)


def _load(auto, source: str | Path, **options):
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # of weights that one class has and another has not, it would print a table
    try:
        return auto.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: no model could be loaded ({str(error).splitlines()[0]})") from None


def word_logits(language_model, hidden: torch.Tensor) -> torch.Tensor:
    """Vocabulary logits of chosen hidden states [n, hidden]: called at masked positions only."""
    head = language_model.cls if hasattr(language_model, "cls") else language_model.lm_head
    return head(hidden)


def word_loss(language_model, hidden: torch.Tensor, ids: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Sum over masked positions i of CE(W h_i, x_i); divide by their number in the whole batch."""
    logits = word_logits(language_model, hidden[where])
    return nn.functional.cross_entropy(logits.float(), ids[where], reduction="sum")
