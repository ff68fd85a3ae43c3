"""What others publish: where each source's files are fetched from, how large they are, and how many rows they hold."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """A file to fetch. What is not publicly known is None, and then not checked."""

    url: str
    bytes: int | None = None
    checksum: str | None = None  # md5:… or sha256:…


def downloads(source: str, **options) -> dict[str, Download]:
    """The files that a dataset is made of, under the names they are kept by; none where the user brings them."""
    return {}


def expected(source: str, **options) -> dict[str, int | dict[str, int]]:
    """How many `passages`, `queries` and `judgements` a dataset must have, the latter two by split."""
    return {}
