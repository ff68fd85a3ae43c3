"""What is known of a file that others publish."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Download:
    """A file to fetch. What is not publicly known is None, and then not checked."""

    url: str
    bytes: int | None = None
    checksum: str | None = None  # md5:… or sha256:…
    licence: str = ""  # what one may do with it, in a line


def licensed(files: dict[str, Download], licences: dict[str, str]) -> dict[str, Download]:
    """The files with their licences, which go by the beginning of an address."""
    return {
        name: replace(
            file, licence=next((line for begins, line in licences.items() if file.url.startswith(begins)), "")
        )
        for name, file in files.items()
    }
