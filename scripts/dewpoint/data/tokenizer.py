"""Tokenizers: trained on a corpus when a model starts from scratch, loaded with the model otherwise."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from dewpoint.data.pretrained import LOCAL, check_words, in_a_line, inside, located
from dewpoint.errors import UserError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
END = "<|endoftext|>"  # Qwen's, which pads as well
LLAMA_SPECIAL = ["<unk>", "<s>", "</s>"]
LETTERS = 1000
NO_TRACE = {"is_local": True, "local_files_only": False}  # of where it was loaded, in what is saved
PROBE = "water 7"  # a text like any other

Texts = Callable[[], Iterable[list[str]]]  # batches of texts, from the beginning each time it is called


def train_tokenizer(family: str, texts: Texts, vocabulary: int):
    """The tokenizer that goes with a family of models, learned from texts."""
    trained = {"bert": train_wordpiece, "roberta": train_bytes, "modernbert": train_modern}
    return (trained | {"qwen": train_qwen, "llama": train_llama})[family](texts, vocabulary)


def train_bytes(texts: Texts, vocabulary: int):
    """RoBERTa's byte-level BPE: case is kept, nothing is unknown."""
    from transformers import RobertaTokenizerFast

    learned = json.loads(_learn_bytes(texts, vocabulary, ROBERTA_SPECIAL).to_str())["model"]
    return RobertaTokenizerFast(vocab=learned["vocab"], merges=[tuple(merge) for merge in learned["merges"]])


def train_modern(texts: Texts, vocabulary: int):
    """ModernBERT's: byte-level BPE with BERT's special tokens."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = _learn_bytes(texts, vocabulary, SPECIAL)
    _surround(tokenizer, "[CLS]", "[SEP]")
    names = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def train_qwen(texts: Texts, vocabulary: int):
    """Qwen's: byte-level BPE, and one special token, which ends a text and pads."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = _learn_bytes(texts, vocabulary, [END])
    _surround(tokenizer, None, END)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)


def train_llama(texts: Texts, vocabulary: int):
    """Llama's and Mistral's of old: BPE of words with the space before them, <s> before a text, </s> behind."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=LLAMA_SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    _surround(tokenizer, "<s>", "</s>")
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def _learn_bytes(texts: Texts, vocabulary: int, special: list[str]):
    """Byte-level BPE; the special tokens are the first."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


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
    if tokenizer.sep_token_id is None and tokenizer.eos_token_id is not None:
        _complete(tokenizer, source, retrieves=inside(folder, "modules.json") is not None)
    special = special_tokens(tokenizer)
    missing = [name for name in ("sep", "pad") if special[name] is None]
    if missing:
        raise UserError(f"{source}: its tokenizer has no {', '.join(missing)} token")
    return tokenizer


def special_tokens(tokenizer) -> dict[str, int | None]:
    """By name. Where there is no [SEP], `cls` is what the template begins a text with, if anything, and `sep` what ends
    it: </s> of T5, <s> and </s> of Mistral, the token of Qwen that pads as well."""
    special = {name: getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "pad", "mask")}
    if special["sep"] is not None:
        return special
    before, behind = _template(tokenizer)
    if len(before) > 1 or len(behind) > 1:
        raise UserError(
            f"{tokenizer.name_or_path}: its tokenizer puts {len(before)} tokens before a text and {len(behind)} behind "
            "it; one each is known"
        )
    return special | {"cls": (before or [None])[0], "sep": (behind or [None])[0]}


def _template(tokenizer) -> tuple[list[int], list[int]]:
    """The tokens that it puts before a text, and those behind."""
    plain, ids = (tokenizer(PROBE, add_special_tokens=special)["input_ids"] for special in (False, True))
    before = next((at for at in range(len(ids)) if ids[at : at + len(plain)] == plain), 0)
    return ids[:before], ids[before + len(plain) :]


def _complete(tokenizer, source: str | Path, retrieves: bool) -> None:
    """Give a language model's tokenizer what texts are told apart by: an end, and padding. A retriever must have both,
    or its vectors would not be those that others get of it."""
    before, behind = _template(tokenizer)
    if not behind:
        if retrieves:
            raise UserError(f"{source}: its tokenizer ends no text with a token; save it with add_eos_token=True")
        start = tokenizer.convert_ids_to_tokens(before[0]) if before else None
        _surround(tokenizer.backend_tokenizer, start, tokenizer.eos_token)
        for name in ("add_bos_token", "add_eos_token"):  # by which the library would undo it
            tokenizer.init_kwargs.pop(name, None)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token


def _surround(tokenizer, before: str | None, behind: str) -> None:
    """Have a tokenizer of the tokenizers library put tokens around each text."""
    from tokenizers import processors

    one = f"{before} $A {behind}" if before else f"$A {behind}"
    other = f"$B {behind}" if before == "[CLS]" else one.replace("$A", "$B")
    ids = {token: tokenizer.token_to_id(token) for token in (before, behind) if token}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=one, pair=f"{one} {other}", special_tokens=[*ids.items()]
    )


def prefix_ids(tokenizer, prefix: str, length: int) -> list[int]:
    """The tokens of a prefix. It must come apart from the text, so that tokens can be put together as strings are; a
    space at its end may be the text's first token's."""
    if not prefix:
        return []
    encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]  # noqa: E731
    whole, text = encode(prefix + PROBE), encode(PROBE)
    ids = next((ids for ids in map(encode, (prefix, prefix.rstrip(" "))) if ids + text == whole), None)
    if ids is None:
        raise UserError(f"prefix '{prefix}': this tokenizer joins its end to the text; end it with ':' and no space")
    if len(ids) > length // 2:
        raise UserError(f"prefix '{prefix}': {len(ids)} tokens leave no room for a text of length {length}")
    return ids
