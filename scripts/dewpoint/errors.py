"""What ends a program without a traceback, in one line."""


class UserError(Exception):
    """A mistake in the input or the study. To try again is of no use."""

    begins, code = "error: ", 2


class Stopped(UserError):
    """Work that was asked to end, and goes on where it was when it is tried again."""

    begins, code = "stopped ", 3
