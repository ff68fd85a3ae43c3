"""What ends a program without a traceback, in one line."""

import re

UNSHOWN = re.compile(r"[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
LONGEST = 2000  # characters of a line; what it quotes may be any file's


class UserError(Exception):
    """A mistake in the input or the study. To try again is of no use."""

    begins, code = "error: ", 2

    def __init__(self, message: str):
        super().__init__(one_line(message))


class Stopped(UserError):
    """Work that was asked to end, and goes on where it was when it is tried again."""

    begins, code = "stopped ", 3


def one_line(text: str) -> str:
    """A text as a terminal can show it: on one line, its middle left out where it is too long."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST * 3 // 4]} … {text[-LONGEST // 4 :]}"
    return printable(" ".join(text.splitlines()))


def printable(text: str) -> str:
    """Without what a terminal would obey or could not encode."""
    return UNSHOWN.sub(" ", text)
