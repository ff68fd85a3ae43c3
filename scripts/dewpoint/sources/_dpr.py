"""DPR's Wikipedia in passages of 100 words, which several sources search; quotes around a passage's text go."""

from pathlib import Path
from typing import TYPE_CHECKING

from dewpoint.data import tiny
from dewpoint.data.catalogue import Download
from dewpoint.data.reading import counted, quoted
from dewpoint.errors import UserError

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

DPR = "https://dl.fbaipublicfiles.com/dpr/"
LICENCE = "CC BY-NC 4.0; in it Natural Questions and Wikipedia, CC BY-SA 3.0"
CORPUS = "psgs_w100.tsv.gz"
CORPUS_FILE = Download(  # size and sum as ir_datasets checks them
    f"{DPR}wikipedia_split/psgs_w100.tsv.gz", 4_694_541_059, "md5:612fe66e0b6b41ee28f806140226c563"
)
PASSAGES = 21_015_324
WORDS = 100  # of a passage


def write_passages(writer: "DatasetWriter", path: Path) -> None:
    """Passages, an article's one after the other."""
    for place, fields in counted(quoted(path, "\t", strict=False), "passages"):
        if len(fields) != 3:
            raise UserError(f"{place}: {len(fields)} fields, expected id, text, title separated by tabs")
        if fields[0] != "id":
            writer.passage(place, fields[0], fields[1].strip('"'), fields[2], fields[2])
    writer.end_of_corpus(str(path))


def rehearse_passages(folder: Path, words: tiny.Words) -> list[list[str]]:
    """The file, tiny: quotes, tabs, an article without a title; its rows (id, text, title)."""
    corpus = words.corpus()
    corpus[-1] = "", f"{corpus[-1][1]} {tiny.SPACED}"
    rows = [[str(row), content, title] for row, (title, content) in enumerate(corpus, 1)]
    tiny.write_text(folder / CORPUS, tiny.separated([["id", "text", "title"], *rows]))
    return rows
