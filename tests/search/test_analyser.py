"""Words become terms as Lucene's EnglishAnalyzer makes them, and in other scripts as Unicode has it."""

import re
from typing import get_args

import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.rankers.bm25 import Bm25
from dewpoint.search.analyser import STOP_WORDS, WORDS, Analyser


def terms(text, words="standard", stop_words="english", stemmer="porter"):
    analyser = Analyser(words, stop_words, stemmer)
    return [term for word in analyser.words(text.lower()) if (term := analyser.term(word))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Melons, and PLUMS!", ["melon", "plum"]),
        ("John's dog, the dogs’ bone, Ann’s", ["john", "dog", "dog", "bone", "ann"]),
        ("don't it's", ["don't"]),  # it is a stop word once 's is gone
        ("running relational generously", ["run", "relat", "gener"]),  # not `generous`, as Porter's second has it
        ("U.S.A. at 3.14 or 1,000,000", ["u.s.a", "3.14", "1,000,000"]),
        ("AT&T well-known e-mail", ["t", "well", "known", "e", "mail"]),
        ("foo_bar os.path.join() a:b 1:2 3.x", ["foo_bar", "os.path.join", "a:b", "1", "2", "3", "x"]),
        ("'quoted' ... -- x", ["quot", "x"]),
        ("Café cafe\u0301", ["café", "cafe\u0301"]),
        ("東京タワー へ", ["東", "京", "タワー", "へ"]),
        ("한국어 문서", ["한국어", "문서"]),
        ("हिन्दी में คนไทย", ["हिन्दी", "में", "คนไทย"]),
        ("Ελλάδα Москва", ["ελλάδα", "москва"]),
        ("😀 ½ ² …", []),
        ("", []),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


def test_plain_words_are_letters_and_digits():
    assert terms("os.path.join a_b John's 3.14 東京", "plain") == ["o", "path", "join", "b", "john", "3.14", "東", "京"]


def test_stop_words_and_stems_can_be_left():
    assert terms("The melons", stop_words="none", stemmer="none") == ["the", "melons"]
    assert terms("die Melonen", stop_words="none", stemmer="german") == ["die", "melon"]


def test_there_are_33_stop_words():
    assert len(STOP_WORDS["english"]) == 33


def test_the_grammar_knows_what_there_is():
    known = {name: set(get_args(field.annotation)) for name, field in Bm25.model_fields.items()}
    assert known["stemmer"] == {"none", *Stemmer.algorithms()}
    assert (known["words"], known["stop_words"]) == (WORDS.keys(), STOP_WORDS.keys())


@given(st.text())
def test_every_letter_and_digit_is_in_a_word(text):
    """Plain words have all that Python calls a letter or a decimal digit, in order."""
    text = re.sub(r"[^\w\s]", " ", text.lower())
    wanted = [sign for sign in text if sign.isalpha() or sign.isdecimal()]
    found = [sign for word in WORDS["plain"].findall(text) for sign in word]
    assert [sign for sign in found if sign.isalpha() or sign.isdecimal()] == wanted
