"""What a user can get wrong."""


class UserError(Exception):
    """A mistake in the input or the study: printed as one line, exit code 1, no traceback."""
