"""Backbones: masked language models of the Hugging Face library, made from scratch or loaded."""

import ctypes
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from dewpoint.errors import UserError
from dewpoint.lease import take_device

leases = []  # of this process, until it ends
PAYS_FROM = 128  # hidden size
POOLED = ("bert", "mpnet", "roberta", "xlm-roberta")  # have a pooler beyond the last layer, unless told not to
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt


@cache
def pick_device() -> torch.device:
    """The GPU that the scheduler chose, or one that is free; the CPU when there is none."""
    if not torch.cuda.is_available():
        _keep_memory()
        return torch.device("cpu")
    if "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return torch.device("cuda", 0)
    number, lease = take_device(torch.cuda.device_count())
    leases.append(lease)
    return torch.device("cuda", number)


def _keep_memory() -> None:
    """Let the C library keep the memory of freed tensors: to ask the system anew costs a third of the time."""
    with suppress(AttributeError, OSError):  # another C library than GNU's
        options = ctypes.CDLL(None).mallopt
        options(M_MMAP_MAX, 0)
        options(M_TRIM_THRESHOLD, 2**31 - 1)


def precision(name: str, model) -> torch.autocast:
    """Autocast for a forward pass, when `chosen` says bfloat16; weights and optimizer stay in float32."""
    return torch.autocast(pick_device().type, torch.bfloat16, enabled=chosen(name, model) == "bfloat16")


def chosen(name: str, model) -> str:
    """What `auto` comes to: bfloat16 on a GPU, and on a processor that multiplies in it unless the model is tiny."""
    if name != "auto":
        return name
    multiplies = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    pays = pick_device().type == "cuda" or (multiplies and model.config.hidden_size >= PAYS_FROM)
    return "bfloat16" if pays else "float32"


def from_scratch(architecture, vocabulary: int, pad: int):
    """A new BERT or RoBERTa of the given shape. Its weights spread so that a layer's output varies as in BERT base."""
    from transformers import BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM

    config, kind = {"bert": (BertConfig, BertForMaskedLM), "roberta": (RobertaConfig, RobertaForMaskedLM)}[
        architecture.family
    ]
    special = {"type_vocab_size": 1, "bos_token_id": 0, "eos_token_id": 2} if architecture.family == "roberta" else {}
    return kind(
        config(
            vocab_size=vocabulary,
            num_hidden_layers=architecture.layers,
            hidden_size=architecture.hidden,
            num_attention_heads=architecture.heads or max(1, architecture.hidden // 64),
            intermediate_size=architecture.intermediate or 4 * architecture.hidden,
            # RoBERTa counts positions from the padding id on
            max_position_embeddings=architecture.positions + (pad + 1 if architecture.family == "roberta" else 0),
            hidden_dropout_prob=architecture.dropout,
            attention_probs_dropout_prob=architecture.dropout,
            pad_token_id=pad,
            initializer_range=0.02 * (768 / architecture.hidden) ** 0.5,
            **special,
        )
    )


def load_language_model(source: str | Path):
    """A masked language model from a folder or a hub id, in float32 masters."""
    from transformers import AutoModelForMaskedLM

    return _load(AutoModelForMaskedLM, source, dtype=torch.float32)


def load_encoder(source: str | Path):
    """The encoder alone, without language-model head or pooler."""
    from transformers import AutoConfig, AutoModel

    pooler = {"add_pooling_layer": False} if _load(AutoConfig, source).model_type in POOLED else {}
    return _load(AutoModel, source, dtype=torch.float32, **pooler)


def _load(auto, source: str | Path, **options):
    from transformers.utils import logging

    logging.set_verbosity_error()  # of weights that one class has and another has not, it would print a table
    logging.disable_progress_bar()
    try:
        return auto.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: no model could be loaded ({str(error).splitlines()[0]})") from None
