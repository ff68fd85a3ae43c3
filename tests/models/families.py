"""Tiny models of every family that AutoModel loads, with their tokenizers, made on the spot."""

import json
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from dewpoint.data.tokenizer import special_tokens, train_tokenizer

TEXTS = ["dew point of warm air", "cold glass and morning grass", "the vapour of a river at night: stone, leaf!"]
SMALL = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
SMALL |= {"max_position_embeddings": 64}
DISTIL = {"n_layers": 2, "dim": 16, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": 64}
T5 = {"num_layers": 2, "d_model": 16, "num_heads": 2, "d_kv": 8, "d_ff": 24}
RATES = {name: 0.1 for name in ("embedding_dropout", "mlp_dropout", "attention_dropout")}
MODERN = SMALL | RATES | {"local_attention": 8, "global_attn_every_n_layers": 2, "cls_token_id": 2, "sep_token_id": 3}
DECODER = SMALL | {"num_key_value_heads": 1, "attention_dropout": 0.2}
FAMILIES = {
    "bert": ("bert", "Bert", SMALL),
    "distilbert": ("bert", "DistilBert", DISTIL),
    "electra": ("bert", "Electra", SMALL | {"embedding_size": 8}),
    "roberta": ("roberta", "Roberta", SMALL | {"type_vocab_size": 1}),
    "xlm-roberta": ("roberta", "XLMRoberta", SMALL | {"type_vocab_size": 1}),
    "deberta": (
        "bert",
        "DebertaV2",
        SMALL | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False},
    ),
    "mpnet": ("bert", "MPNet", SMALL),
    "ernie": ("bert", "Ernie", SMALL | {"type_vocab_size": 4}),
    "t5": ("t5", "T5", T5),
    "modernbert": ("modernbert", "ModernBert", MODERN),
    "qwen": ("qwen", "Qwen3", DECODER | {"head_dim": 8}),
    "mistral": ("llama", "Mistral", DECODER | {"sliding_window": 6}),
    "llama": ("llama", "Llama", DECODER),
}
CAUSAL = ("qwen", "mistral", "llama")  # read from left to right


def pieces(texts: list[str]):
    """A tokenizer as T5 has it: pieces of words, no [CLS], no [MASK]."""
    words = Tokenizer(models.Unigram())
    words.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False)
    words.train_from_iterator(texts, trainer)
    vocabulary = json.loads(words.to_str())["model"]["vocab"]
    return transformers.T5TokenizerFast(vocab=[tuple(piece) for piece in vocabulary])


def words(known: list[str]) -> transformers.T5TokenizerFast:
    """A tokenizer as T5 has it: these words are a token each, all others pieces of their letters."""
    pieces = {f"▁{word}": -2.0 for word in known} | {letter: -9.0 for letter in sorted({*"".join(known), "▁"})}
    return transformers.T5TokenizerFast(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces.items()])


def make(family: str, folder: Path, texts: list[str] = TEXTS) -> Path:
    """A model of a family in `folder`, its words those of the texts."""
    tokens, name, shape = FAMILIES[family]
    tokenizer = pieces(texts) if tokens == "t5" else train_tokenizer(tokens, lambda: [texts], 300)
    ids = special_tokens(tokenizer)
    special = {"pad_token_id": ids["pad"], "bos_token_id": ids["cls"], "eos_token_id": ids["sep"]}
    config = getattr(transformers, f"{name}Config")(vocab_size=len(tokenizer), **special, **shape)
    torch.manual_seed(0)
    model = getattr(transformers, "T5EncoderModel" if name == "T5" else f"{name}Model")(config)
    with torch.no_grad():
        for parameter in model.parameters():  # so that texts differ
            parameter += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
