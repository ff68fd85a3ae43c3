"""Tokenizers: trained on a corpus when a model starts from scratch, loaded with the model otherwise."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from dewpoint.data.pretrained import LOCAL, check_words, in_a_line, located
from dewpoint.errors import UserError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
LETTERS = 1000
NO_TRACE = {"is_local": True, "local_files_only": False}  # of where it was loaded, in what is saved
PROBE = "water 7"  # a text like any other

Texts = Callable[[], Iterable[list[str]]]  # batches of texts, from the beginning each time it is called


def train_tokenizer(family: str, texts: Texts, vocabulary: int):
    """The tokenizer that goes with a family of models, learned from texts."""
    return {"bert": train_wordpiece, "roberta": train_bytes}[family](texts, vocabulary)


def train_bytes(texts: Texts, vocabulary: int):
    """RoBERTa's byte-level BPE: case is kept, nothing is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import RobertaTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=ROBERTA_SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return RobertaTokenizerFast(vocab=learned["vocab"], merges=[tuple(merge) for merge in learned["merges"]])


def train_wordpiece(texts: Texts, vocabulary: int):
    """BERT's lower-casing WordPiece.

    The trainer numbers word-internal letters as its hash map yields them, and ties fall by number; naming all of them
    first makes one corpus give one vocabulary.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    seen = Counter()
    for batch in texts():
        seen.update(tokenizer.normalizer.normalize_str("\n".join(batch)))
    letters = sorted(sorted(seen, key=lambda letter: (-seen[letter], letter))[:LETTERS])
    letters = [letter for letter in letters if not letter.isspace()]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL + [f"##{letter}" for letter in letters],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return BertTokenizerFast(vocab=tokenizer.get_vocab(), do_lower_case=True)


def load_tokenizer(source: str | Path):
    """A tokenizer from a folder or a hub id; it must be a fast one, with the special tokens that every input needs."""
    from transformers import AutoTokenizer

    folder = located(source)
    check_words(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
    except Exception as error:  # whatever others' files make of it
        raise in_a_line(source, "tokenizer", error) from None
    tokenizer.init_kwargs |= NO_TRACE
    if not tokenizer.is_fast:
        raise UserError(f"{source}: has no fast tokenizer (tokenizer.json)")
    special = special_tokens(tokenizer)
    missing = [name for name in ("sep", "pad") if special[name] is None]
    if missing:
        raise UserError(f"{source}: its tokenizer has no {', '.join(missing)} token")
    return tokenizer


def special_tokens(tokenizer) -> dict[str, int | None]:
    """By name; T5's has none that a text begins with, none that masks a word, and ends a text with </s>."""
    special = {name: getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "pad", "mask")}
    return special | {"sep": tokenizer.eos_token_id} if special["sep"] is None else special


def prefix_ids(tokenizer, prefix: str, length: int) -> list[int]:
    """The tokens of a prefix. It must come apart from the text, so that tokens can be put together as strings are."""
    encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]  # noqa: E731
    ids = encode(prefix) if prefix else []
    if prefix and encode(prefix + PROBE) != ids + encode(PROBE):
        raise UserError(f"prefix '{prefix}': this tokenizer joins its end to the text; end it with ':' and no space")
    if len(ids) > length // 2:
        raise UserError(f"prefix '{prefix}': {len(ids)} tokens leave no room for a text of length {length}")
    return ids
