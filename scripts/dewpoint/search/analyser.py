"""Text to terms as Lucene's EnglishAnalyzer does it: Unicode's words, lower-cased, less 's, stop words and endings."""

import re
import unicodedata

import Stemmer

ENGLISH = """a an and are as at be but by for if in into is it no not of on or such that the their then there these they
    this to was will with"""
STOP_WORDS = {"english": frozenset(ENGLISH.split()), "none": frozenset()}
POSSESSIVE = ("'s", "’s", "＇s")
HAN = r"\u3005-\u3007\u3041-\u3096\u309d-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"


def _characters(kinds: str) -> str:
    """What stands in a regular expression's [] for the categories of Unicode that begin so, without HAN."""
    han = re.compile(f"[{HAN}]")
    codes = [
        code for code in range(0x10000) if unicodedata.category(chr(code))[0] in kinds and not han.match(chr(code))
    ]
    first = [code for before, code in zip([-2, *codes], codes, strict=False) if code != before + 1]
    last = [code for code, after in zip(codes, [*codes[1:], -2], strict=True) if after != code + 1]
    return "".join(rf"\u{one:04x}-\u{other:04x}" for one, other in zip(first, last, strict=True))


MARK, LETTER = _characters("M"), _characters("LM") + r"\U00010000-\U0001efff"
QUOTE = "'‘’＇"


def _pattern(letter: str, letters: str, digits: str) -> re.Pattern:
    """Words of `letter` and digits; `letters` may stand between two letters, `digits` between two digits.

    Han and Hiragana have no spaces: each character is a word.
    """
    inside = rf"(?<=[{LETTER}])[{letters}](?=[{LETTER}])|(?<=\d)[{digits}](?=\d)"
    return re.compile(rf"[{HAN}][{MARK}]*|[{letter}\d]+(?:(?:{inside})[{letter}\d]+)*")


WORDS = {
    "standard": _pattern(f"{LETTER}_", f".:·{QUOTE}", f".,;{QUOTE}"),
    "plain": _pattern(LETTER, QUOTE, f".,;{QUOTE}"),
}


class Analyser:
    """`words` is a key of WORDS, `stop_words` of STOP_WORDS, `stemmer` one of Snowball's, or none."""

    def __init__(self, words: str, stop_words: str, stemmer: str):
        self.words = WORDS[words].findall
        self.stop_words = STOP_WORDS[stop_words]
        self.stem = str if stemmer == "none" else Stemmer.Stemmer(stemmer).stemWord

    def term(self, word: str) -> str:
        """What a word counts as; empty when it does not count."""
        word = word[:-2] if word.endswith(POSSESSIVE) else word
        return "" if word in self.stop_words else self.stem(word)
