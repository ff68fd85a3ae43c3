"""`text`: plain text or JSON lines to pre-train on, streamed, so that a corpus may be larger than memory."""

import logging
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dewpoint.data import reading, tiny
from dewpoint.study.bases import Source

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

LOG_SECONDS = 10


class Text(Source):
    """Text to pre-train on: .txt (a blank line ends a document) or .jsonl (a line is one), each plain, .gz or .zst."""

    source: Literal["text"]
    paths: list[str] = Field(alias="files", min_length=1, description="paths, or patterns such as wiki/*.jsonl.zst")
    text: str = Field("text", description="JSON lines: the field with the text, a string or a list of paragraphs")
    title: str | None = Field(None, description="JSON lines: the field with the title, if there is one")

    def files(self) -> list[str]:
        return list(map(str, reading.text_files(self.paths)))

    def moved(self, place) -> dict[str, Any]:
        return {"paths": list(dict.fromkeys(map(place, self.paths)))}


def write(writer: "DatasetWriter", paths: list[str], text: str, title: str | None = None) -> None:
    """A passage for each paragraph that is not blank; its id counts files, documents and paragraphs."""
    logged, documents = time.monotonic(), 0
    for file, path in enumerate(reading.text_files(paths)):
        for number, (heading, paragraphs) in enumerate(_documents(path, text, title)):
            documents += 1
            document = f"{file}-{number}"
            for part, paragraph in enumerate(paragraphs):
                if paragraph.strip():
                    writer.paragraph(f"{document}-{part}", paragraph, heading, document)
                if time.monotonic() - logged > LOG_SECONDS:
                    logged = time.monotonic()
                    log.info("%s passages, %s documents", f"{writer.count:,}", f"{documents:,}")
    writer.end_of_corpus(", ".join(paths))


def _documents(path: Path, text: str, title: str | None) -> Iterator[tuple[str, Iterable[str]]]:
    """(title, paragraphs) of a file's documents. In .txt a line is a paragraph, blank lines stand between documents."""
    if reading.plain(path).suffix == ".txt":
        for blank, rows in groupby(reading.lines(path), lambda row: not row[1].strip()):
            if not blank:
                yield "", (line for _, line in rows)
    else:
        for place, row in reading.json_lines(path):
            yield reading.text(row, title, place) if title else "", _paragraphs(row, text, place)


def _paragraphs(row: dict[str, Any], field: str, place: str) -> list[str]:
    """The lines of a text, or the texts of a list."""
    if isinstance(row.get(field), list):
        return [reading.text({field: one}, field, place) for one in row[field]]
    return reading.text(row, field, place).replace("\r\n", "\n").split("\n")


def rehearse(folder: Path, words: tiny.Words, paths: list[str], text: str, title: str | None = None) -> None:
    """A tiny file for each path, of its format."""
    for path in (folder / Path(file).name for file in paths):
        documents = [[words.passage() for _ in range(tiny.ARTICLE)] for _ in range(tiny.PASSAGES // tiny.ARTICLE)]
        documents[0] += tiny.ODD
        if reading.plain(path).suffix == ".txt":
            tiny.write_text(path, "\n".join("".join(f"{line}\n" for line in document) for document in documents))
            continue
        rows = [{text: document if row % 2 else "\n".join(document)} for row, document in enumerate(documents)]
        for row, document in enumerate(rows):
            document |= {title: words.title() if row else None} if title else {}
        tiny.write_text(path, tiny.json_text(rows))
