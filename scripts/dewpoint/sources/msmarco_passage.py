"""`msmarco-passage`: MS MARCO's 8.8 million passages, with TREC's queries of 2019 and 2020."""

import logging
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny_marco
from dewpoint.data.reading import counted, lines, lines_of, members, trec_judgements
from dewpoint.data.splits import by_id, pairs, write_split
from dewpoint.data.tiny import LISTED, ODD, PASSAGES, Words, write_text
from dewpoint.errors import UserError
from dewpoint.sources._marco import TREC_QUERIES, Msmarco
from dewpoint.study.types import Amount

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

log = logging.getLogger(__name__)

ARCHIVE, COLLECTION = "collectionandqueries.tar.gz", "collection.tsv"
TITLES_ARCHIVE, TITLES = "marco.tar.gz", "para.title.txt"
TRIPLES = "qidpidtriples.train.full.2.tsv.gz"
PACKED = {  # queries and judgements in the archive
    "train": ("queries.train.tsv", "qrels.train.tsv"),
    "dev": ("queries.dev.small.tsv", "qrels.dev.small.tsv"),
}
TREC = {  # in files of their own
    "dl2019": ("msmarco-test2019-queries.tsv.gz", "2019qrels-pass.txt"),
    "dl2020": ("msmarco-test2020-queries.tsv.gz", "2020qrels-pass.txt"),
}
RELEVANT = 2  # TREC's grade 1 is on the subject, but no answer


class MsmarcoPassage(Msmarco):
    """MS MARCO's passages; splits train and dev (the small one), and TREC's dl2019 and dl2020."""

    average_words: ClassVar[float] = 60
    cites: ClassVar[tuple[str, ...]] = ("bajaj2016msmarco", "craswell2020trec2019", "craswell2021trec2020")

    source: Literal["msmarco-passage"]
    titles: bool = Field(False, description="with the titles of RocketQA's release of the corpus")
    triples: Amount = Field(
        0,
        description="negatives of the official training triples that are kept for a query, drawn at random, as list "
        "`triples`; 0: none, and the 1.8 GB file is not fetched",
    )

    @property
    def lists(self) -> dict[str, list[str]]:
        return {"triples": ["train"]} if self.triples else {}

    @property
    def needed(self) -> list[str]:
        names = [ARCHIVE, *TREC_QUERIES, "2019qrels-pass.txt", "2020qrels-pass.txt"]
        return names + ([TRIPLES] if self.triples else []) + ([TITLES_ARCHIVE] if self.titles else [])

    def expected(self) -> dict[str, int | dict[str, int]]:
        """Queries are those that judgements name; a judgement that is made twice counts once."""
        return {
            "passages": 8_841_823,
            "queries": {"train": 502_939, "dev": 6_980, "dl2019": 43, "dl2020": 54},
            # of train it is not known how many of the 532,761 lines say the same
            "judgements": {"dev": 7_437, "dl2019": 9_260, "dl2020": 11_386},
        }

    def small(self) -> dict[str, Any]:
        return {"triples": min(self.triples, 4)}


def write(writer: "DatasetWriter", files: dict[str, Path], titles: bool = False, triples: int = 0) -> None:
    """A split has the queries that its judgements name."""
    packed = write_passages(writer, files[ARCHIVE], files[TITLES_ARCHIVE] if titles else None)
    for split, (queries, judgements) in PACKED.items():
        write_split(writer, split, by_id(pairs(packed.pop(queries))), trec_judgements(packed.pop(judgements)))
    for split, (queries, judgements) in TREC.items():
        writer.relevant[split] = RELEVANT
        write_split(writer, split, by_id(pairs(lines(files[queries]))), trec_judgements(lines(files[judgements])))
    if triples:
        write_triples(writer, files[TRIPLES], triples)


def write_passages(writer: "DatasetWriter", archive: Path, titles: Path | None) -> dict[str, list[tuple[str, str]]]:
    """Reads the archive once; gives the lines of the other members, which may come before the passages."""
    known, others = Titles(titles) if titles else None, {}
    for name, file in members(archive, [COLLECTION, *sum(PACKED.values(), ())]):
        if name == COLLECTION:
            for place, id, text in counted(pairs(lines_of(file, archive / name)), "passages"):
                writer.passage(place, id, text, known.of(id) if known else "")
            writer.end_of_corpus(str(archive / name))
        else:
            others[name] = list(lines_of(file, archive / name))
    return others


class Titles:
    """Passages' titles by id, one after the other in one buffer: there are millions."""

    def __init__(self, archive: Path):
        from dewpoint.data.ids import Ids

        self.ids, self.text, self.ends = Ids(), bytearray(), array("q", [0])
        for name, file in members(archive, [TITLES]):
            for place, id, title in pairs(lines_of(file, archive / name)):
                if not self.ids.add(id):
                    raise UserError(f"{place}: passage '{id}' has a second title")
                self.text += title.encode()
                self.ends.append(len(self.text))

    def of(self, id: str) -> str:
        """Nothing for a passage without."""
        row = self.ids.get(id)
        return "" if row is None else self.text[self.ends[row] : self.ends[row + 1]].decode()


def write_triples(writer: "DatasetWriter", path: Path, kept: int) -> None:
    """The list `triples` of the training queries; queries that are not in the file have none."""
    import numpy as np

    from dewpoint.data.triples import sample

    query, negative = sample(path, list(writer.queries["train"]), kept)
    passage = writer.passages.rows(negative)
    if (unknown := negative[passage < 0]).size:
        raise UserError(f"{path}: unknown passage '{unknown[0]}'")
    writer.list_table("triples", "train").write([query, passage])
    queries = np.count_nonzero(np.bincount(query))
    log.info("triples: %s negatives of %s queries are kept", f"{len(query):,}", f"{queries:,}")


# --- rehearsal ----------------------------------------------------------------------------------


def rehearse(folder: Path, words: Words, /, titles: bool = False, triples: int = 0) -> None:
    """Tiny files in the format of the real ones; every fifth passage lacks a title, every eighth query triples."""
    texts = {str(row): words.passage() for row in range(PASSAGES)}
    texts |= {str(row): f"{texts[str(row)]} {odd}" for row, odd in enumerate(ODD)}
    splits = tiny_marco.splits(words, texts)
    packed = {COLLECTION: tiny_marco.tab_lines(texts.items())}
    for split, (queries, judgements) in PACKED.items():
        packed[judgements] = tiny_marco.tab_lines(splits[split].judgements("0"))
        packed[queries] = tiny_marco.tab_lines(splits[split].queries)
    for name in ("queries.dev.tsv", "queries.eval.small.tsv", "queries.eval.tsv"):
        packed[name] = "1048578\tcost of endless pools/swim spa\n"
    tiny_marco.write_tar(folder / ARCHIVE, packed)
    for split, (queries, judgements) in TREC.items():
        write_text(folder / queries, tiny_marco.tab_lines(splits[split].queries))
        write_text(folder / judgements, tiny_marco.lines(map(" ".join, splits[split].judgements("Q0"))))
    if titles:
        known = {id: words.title() for id in texts if int(id) % 5} | {"7": ""}
        rows = {TITLES: known.items(), "para.txt": texts.items(), "train.query.txt": splits["train"].queries}
        tiny_marco.write_tar(
            folder / TITLES_ARCHIVE, {f"marco/{name}": tiny_marco.tab_lines(of) for name, of in rows.items()}
        )
    if triples:
        write_text(folder / TRIPLES, tiny_marco.tab_lines(_triples(words, splits["train"], list(texts)), end="\r\n"))


def _triples(words: Words, train: tiny_marco.Split, passages: list[str]) -> Iterable[tuple[str, str, str]]:
    """(query, positive, negative), as many for each positive; some negatives are drawn twice."""
    for number, (query, positives) in enumerate(train.judged.items()):
        if number % 8:
            negatives = words.random.choices(passages, k=LISTED * 2)
            yield from ((query, positive, negative) for positive, _ in positives for negative in negatives)
