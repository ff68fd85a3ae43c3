"""`wikipedia`: English Wikipedia of 1 November 2023, as Hugging Face's wikimedia/wikipedia has it, to pre-train on."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dewpoint.data import tiny
from dewpoint.data.catalogue import Download, licensed
from dewpoint.data.reading import counted, parquet, text
from dewpoint.study.bases import Source

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

FILES = [f"wikipedia-20231101.en-{shard:05}-of-00041.parquet" for shard in range(41)]
REVISION = "b04c8d1ceb2f5cd4588862100d08de323dccfbaa"
ADDRESS = f"https://huggingface.co/datasets/wikimedia/wikipedia/resolve/{REVISION}/20231101.en/"
KNOWN = {  # bytes and sums as Hugging Face has them for this revision
    0: (420_296_449, "sha256:382e7f6f09e488b24793a7f7cfc659879d5a22da2cf2efec6491665f0c019677"),
    19: (None, "sha256:99c23125b0dd115d68f4a921376880e307bdfcbf3bfd66ae4ed90e853e1dadac"),
}
COLUMNS = ["id", "title", "text"]
ARTICLES = 1000  # held at once


class Wikipedia(Source):
    """English Wikipedia of 1 November 2023 as text to pre-train on: a passage is a paragraph, a document an article."""

    average_words: ClassVar[float] = 45
    estimated: ClassVar[int] = 90_000_000
    cites: ClassVar[tuple[str, ...]] = ("wikimedia2023wikipedia",)

    source: Literal["wikipedia"]

    def downloads(self) -> dict[str, Download]:
        shards = {
            name: Download(f"{ADDRESS}{name.replace('wikipedia-20231101.en', 'train')}", *KNOWN.get(shard, ()))
            for shard, name in enumerate(FILES)
        }
        return licensed(shards, {ADDRESS: "CC BY-SA 3.0 and GFDL"})


def write(writer: "DatasetWriter", files: dict[str, Path]) -> None:
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
