"""Tokenizers: trained on a corpus when a model starts from scratch, loaded with the model otherwise."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from dewpoint.errors import UserError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = 1000


def train_wordpiece(texts: Callable[[], Iterable[list[str]]], vocabulary: int):
    """A lower-casing BERT WordPiece tokenizer learned from batches of texts; `texts` is called twice.

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
    """A tokenizer from a folder or a hub id; it must be a fast one, with the special tokens that inputs need."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: no tokenizer could be loaded ({str(error).splitlines()[0]})") from None
    if not tokenizer.is_fast:
        raise UserError(f"{source}: has no fast tokenizer (tokenizer.json)")
    missing = [name for name in ("cls", "sep", "pad", "mask") if getattr(tokenizer, f"{name}_token_id") is None]
    if missing:
        raise UserError(f"{source}: its tokenizer has no {', '.join(missing)} token")
    return tokenizer
