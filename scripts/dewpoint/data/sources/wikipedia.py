"""`wikipedia`: English Wikipedia of 1 November 2023, as Hugging Face's wikimedia/wikipedia has it, to pre-train on."""

from itertools import chain
from pathlib import Path

from dewpoint.data.catalogue import SHARDS
from dewpoint.data.dataset import DatasetWriter
from dewpoint.data.sources import tiny
from dewpoint.data.sources.reading import counted, parquet, text

FILES = list(SHARDS)
COLUMNS = ["id", "title", "text"]
ARTICLES = 1000  # held at once


def write(writer: DatasetWriter, files: dict[str, Path]) -> None:
    """A passage for each paragraph that is not blank, a document for each article."""
    articles = chain.from_iterable(parquet(files[name], COLUMNS, ARTICLES) for name in FILES)
    for place, row in counted(articles, "articles"):
        document, title = text(row, "id", place), text(row, "title", place)
        for part, paragraph in enumerate(text(row, "text", place).split("\n")):
            if paragraph and not paragraph.isspace():
                writer.paragraph(f"{document}-{part}", paragraph, title, document)
    writer.end_of_corpus(str(files[FILES[0]].parent))


def rehearse(folder: Path, words: tiny.Words) -> None:
    """All shards, a few articles in each, with blank lines and one article that is nothing but its title."""
    for shard, name in enumerate(FILES):
        rows = []
        for number in range(tiny.SHARD):
            paragraphs = [words.passage() for _ in range(tiny.ARTICLE)] + [
                tiny.ODD[shard % len(tiny.ODD)],
                "References",
            ]
            address = f"https://en.wikipedia.org/wiki/{shard}-{number}"
            rows.append({"id": f"{shard}{number:04}", "url": address, "title": words.title()})
            rows[-1]["text"] = "\n\n".join(paragraphs) if number or shard else ""
        tiny.write_parquet(folder / name, rows)
