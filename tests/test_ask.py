"""What the program that answers questions is given, and what it shows."""

import argparse

import pytest

import ask
from dewpoint.errors import UserError, printable


@pytest.mark.parametrize("text", ["-3", "0", "1.5", "", "١", "many"])
def test_a_depth_is_a_number_of_passages(text):
    assert ask.at_least_one("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match=f"^expected a number of passages, found '{text}'$"):
        ask.at_least_one(text)


def test_a_question_is_text():
    question = b"what is \xff".decode("utf-8", "surrogateescape")  # as a shell's arguments come
    assert ask.decoded("what is é") == "what is é"
    with pytest.raises(UserError, match=r"^the question is not UTF-8"):
        ask.decoded(question)


def test_what_is_typed_is_text(monkeypatch):
    def typed(_: str) -> str:
        return b"\xff".decode()

    monkeypatch.setattr("builtins.input", typed)
    with pytest.raises(UserError, match=r"^the question is not UTF-8"):
        ask.prompt()


def test_a_passage_does_not_talk_to_the_terminal():
    shown = printable("\x1b]0;title\x07 red \x1b[31m, \x9b2J, \u202eback, é\u00a0東京")
    assert shown == " ]0;title  red  [31m,  2J,  back, é\u00a0東京"
