"""Whole-word masking, vectorised over the batch."""

import numpy as np

from dewpoint.data.lots import uniform
from dewpoint.errors import UserError

RATE = 0.15
WORDS, FATES, SWAPS = range(3)  # what lots are drawn for


class WordMasker:
    """Picks words at random, up to max(1, round(RATE · tokens)) tokens a row, and replaces them.

    A word that would overflow the budget is passed over. Of the picked tokens 80 % become [MASK], 10 % a random
    ordinary token, 10 % stay.
    """

    def __init__(self, special: dict[str, int], continues: np.ndarray):
        """`continues[id]` says whether a token goes on the word before it."""
        missing = [name for name, id in special.items() if id is None]
        if missing:
            raise UserError(f"words cannot be masked: the tokenizer has no {', '.join(missing)} token")
        self.special, self.continues = special, continues
        self.limits = [special["cls"], special["sep"], special["pad"]]
        self.ordinary = np.setdiff1d(np.arange(len(continues)), list(special.values()))

    def __call__(self, ids: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(masked ids, where [rows, length]); a row's are a function of its tokens and its key."""
        ordinary = (ids != self.limits[0]) & (ids != self.limits[1]) & (ids != self.limits[2])
        where = self._pick(ids, ordinary, keys)
        masked = ids.copy()
        fate = uniform(keys, ids.shape[1], FATES)
        masked[where & (fate < 0.8)] = self.special["mask"]
        swapped = where & (fate >= 0.9)
        lots = uniform(keys, ids.shape[1], SWAPS)[swapped]
        masked[swapped] = self.ordinary[(lots * len(self.ordinary)).astype(np.int64)]
        return masked, where

    def _pick(self, ids: np.ndarray, ordinary: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """The tokens of the picked words: words in random order, each taken when it fits what is left."""
        rows = np.arange(len(ids))
        before = np.zeros_like(ordinary)
        before[:, 1:] = ordinary[:, :-1]
        word = np.cumsum(ordinary & ~(self.continues[ids] & before), axis=1) - 1
        words = int(word.max(initial=0)) + 1
        row, column = np.nonzero(ordinary)
        lengths = np.bincount(row * words + word[row, column], minlength=len(ids) * words).reshape(len(ids), words)

        left = np.maximum(1, np.rint(ordinary.sum(axis=1) * RATE).astype(int))
        order = np.argsort(np.where(lengths > 0, uniform(keys, words, WORDS), 2.0), axis=1)
        picked = np.zeros(lengths.shape, bool)
        for rank in range(words):
            candidate = order[:, rank]
            length = lengths[rows, candidate]
            fits = (length > 0) & (length <= left)
            picked[rows, candidate] = fits
            left -= length * fits
            if not left.any():
                break
        return ordinary & picked[rows[:, None], np.maximum(word, 0)]


def continuations(tokenizer) -> np.ndarray:
    """Which tokens go on the word before: BERT marks them with ##, RoBERTa marks the others with a space before (Ġ).

    In RoBERTa's vocabulary a word reaches from space to space, its punctuation included.
    """
    vocabulary = tokenizer.get_vocab()
    continues = np.zeros(len(tokenizer), bool)
    if any(token.startswith("##") for token in vocabulary):
        for token, id in vocabulary.items():
            continues[id] = token.startswith("##")
    elif any(token.startswith("Ġ") for token in vocabulary):
        special = set(tokenizer.all_special_tokens)
        for token, id in vocabulary.items():
            continues[id] = token not in special and not token.startswith(("Ġ", "Ċ", "ĉ", "č"))
    else:
        raise UserError(
            f"{tokenizer.name_or_path}: no rule for its whole words; masking knows WordPiece (BERT) and byte-level BPE "
            "(RoBERTa)"
        )
    return continues
