"""Which texts have something in them, one by one or many at once."""

import unicodedata
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PLAIN = "[!-~]"  # letters that anyone sees


def seen(letter: str) -> bool:
    """Whether a reader sees it: neither space nor control nor of no width."""
    return unicodedata.category(letter)[0] not in "ZC"


def is_seen(text: str) -> bool:
    return any(map(seen, text))


def is_blank(text: str) -> bool:
    """Empty, or nothing but spaces."""
    return not text or text.isspace()


def are_seen(texts: pa.Array) -> np.ndarray:
    """`is_seen` of each; a null is not."""
    return ~_asked(texts, lambda text: not is_seen(text))


def are_blank(texts: pa.Array) -> np.ndarray:
    """`is_blank` of each; a null is."""
    return _asked(texts, is_blank)


def _asked(texts: pa.Array, says_no: Callable[[str], bool]) -> np.ndarray:
    """Of texts with a plain letter it is known; the others are asked one by one."""
    found = pc.invert(pc.match_substring_regex(texts, PLAIN)).fill_null(True).to_numpy(zero_copy_only=False).copy()
    odd = np.flatnonzero(found)
    found[odd] = [text is None or says_no(text) for text in texts.take(odd).to_pylist()]
    return found
