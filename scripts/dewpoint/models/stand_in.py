"""Stand-ins: tiny random models that take the place of released ones in a rehearsal, of the same class."""

import zlib
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import torch

from dewpoint.data.pretrained import is_folder
from dewpoint.data.tokenizer import special_tokens, train_tokenizer
from dewpoint.errors import UserError
from dewpoint.models.backbone import DECODED, DPR, load_config
from dewpoint.models.weights import write_model

HIDDEN, LAYERS, HEADS, INTERMEDIATE = 32, 2, 2, 64
POSITIONS = 514
SPREAD = 0.1  # of weights, so that texts differ
SHAPE = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INTERMEDIATE,
    "initializer_range": SPREAD,
    "max_position_embeddings": POSITIONS,
}
DISTIL = {
    "dim": HIDDEN,
    "n_layers": LAYERS,
    "n_heads": HEADS,
    "hidden_dim": INTERMEDIATE,
    "initializer_range": SPREAD,
    "max_position_embeddings": POSITIONS,
}
T5 = {"d_model": HIDDEN, "num_layers": LAYERS, "num_heads": HEADS, "d_kv": HIDDEN // HEADS, "d_ff": INTERMEDIATE}
SAID = ["true", "false", "query document document0 document1 relevant"] * 100  # words that a T5 is asked with, and for
MODERN = SHAPE | {"local_attention": 16, "cls_token_id": 2, "sep_token_id": 3}
DECODER = SHAPE | {"num_key_value_heads": 1, "head_dim": HIDDEN // HEADS}
DECODERS = ("qwen3", "qwen2", "mistral", "llama")
RELATIVE = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
SPECIAL = {"pad_token_id": "pad", "bos_token_id": "cls", "eos_token_id": "sep"}
CLASSES = {  # transformers' name → tokenizer, what its configuration calls the shape; the first that a name holds
    "xlm-roberta": ("roberta", SHAPE | {"type_vocab_size": 1}),
    "roberta": ("roberta", SHAPE | {"type_vocab_size": 1}),
    "distilbert": ("bert", DISTIL),
    "deberta-v2": ("bert", SHAPE | RELATIVE),
    "electra": ("bert", SHAPE | {"embedding_size": 16}),
    "mpnet": ("bert", SHAPE),
    "ernie": ("bert", SHAPE | {"type_vocab_size": 4}),
    "t5": ("bert", T5),
    "modernbert": ("modernbert", MODERN),
    "qwen3": ("qwen", DECODER),
    "qwen2": ("qwen", DECODER),
    "mistral": ("llama", DECODER),
    "llama": ("llama", DECODER),
    "bert": ("bert", SHAPE),
}
OF_DPR = "facebook/dpr-"  # what hub models of DPR's own classes are called; others of its models are BERT


def model_class(source: str) -> str:
    """The class of a model: a folder's as it says, a hub model's as its name does; BERT where that says nothing."""
    if is_folder(source):
        kind = load_config(source).model_type
        if kind not in (*CLASSES, DPR):
            raise UserError(f"{source}: no stand-in for models of class '{kind}'; known: {', '.join(CLASSES)}")
        return kind
    if OF_DPR in source:
        return DPR
    return next((kind for kind in CLASSES if kind.removesuffix("-v2") in source.lower()), "bert")


def stand_in(source: str, texts: Callable[[], Iterable[list[str]]], seed: int, folder: Path) -> str:
    """A model and tokenizer in `folder`, the words those of `texts`; returns its class."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    kind = model_class(source)
    words, shape = CLASSES.get(kind, CLASSES["bert"])
    tokenizer = train_tokenizer(words, lambda: chain(texts(), [SAID] if kind in DECODED else []), 1000)
    ids = special_tokens(tokenizer)
    special = {name: ids[like] for name, like in SPECIAL.items()}
    torch.manual_seed(zlib.crc32(f"{source} {seed}".encode()))  # no two are the same
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **special, **shape)
    if kind == DPR:
        model = _dpr_class(source)(config)
    else:
        decoder = AutoModelForCausalLM if kind in DECODERS else AutoModelForMaskedLM
        model = (AutoModelForSeq2SeqLM if kind in DECODED else decoder).from_config(config)
    write_model(model, folder)
    tokenizer.save_pretrained(folder)
    return kind


def _dpr_class(source: str):
    """That of contexts, unless a folder or a name says that it is of questions."""
    from transformers import DPRContextEncoder, DPRQuestionEncoder

    said = load_config(source).architectures[0] if is_folder(source) else source
    return DPRQuestionEncoder if "question" in said.lower() else DPRContextEncoder
