"""`msmarco-document`: MS MARCO's 3.2 million documents, cut to passages, with TREC's queries of 2019 and 2020."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny_marco
from dewpoint.data.reading import counted, lines, trec_judgements
from dewpoint.data.splits import by_id, pairs, write_split
from dewpoint.data.tiny import ODD, PASSAGES, Words, write_text
from dewpoint.errors import UserError
from dewpoint.sources._marco import TREC_QUERIES, Msmarco
from dewpoint.study.types import Count

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

DOCUMENTS = "msmarco-docs.tsv.gz"
SPLITS = {  # queries and judgements
    "train": ("msmarco-doctrain-queries.tsv.gz", "msmarco-doctrain-qrels.tsv.gz"),
    "dev": ("msmarco-docdev-queries.tsv.gz", "msmarco-docdev-qrels.tsv.gz"),
    "dl2019": ("msmarco-test2019-queries.tsv.gz", "2019qrels-docs.txt"),
    "dl2020": ("msmarco-test2020-queries.tsv.gz", "2020qrels-docs.txt"),
}


class MsmarcoDocument(Msmarco):
    """MS MARCO's documents, cut to passages; splits train, dev, dl2019, dl2020. Judgements are of whole documents."""

    estimated: ClassVar[int] = 10_500_000
    cites: ClassVar[tuple[str, ...]] = ("bajaj2016msmarco", "craswell2020trec2019", "craswell2021trec2020")

    source: Literal["msmarco-document"]
    passages: Literal["first", "all"] = Field(
        "first", description="all: a run's documents rank by their best passage (MaxP)"
    )
    words: Count = Field(400, description="words of a passage")
    stride: Count | None = Field(None, description="words from a passage's beginning to the next one's; as `words`")

    @property
    def needed(self) -> list[str]:
        pairs = [f"msmarco-doc{split}-{what}.tsv.gz" for split in ("train", "dev") for what in ("queries", "qrels")]
        return [DOCUMENTS, *pairs, *TREC_QUERIES, "2019qrels-docs.txt", "2020qrels-docs.txt"]

    def expected(self) -> dict[str, int | dict[str, int]]:
        """How many passages all documents are cut to is not known; a judgement of a document counts once."""
        queries = {"train": 367_013, "dev": 5_193, "dl2019": 43, "dl2020": 45}
        judgements = {"train": 367_013, "dev": 5_193, "dl2019": 16_258, "dl2020": 9_098}
        passages = {"passages": 3_213_835} if self.passages == "first" else {}
        return {"queries": queries, "judgements": judgements} | passages

    def small(self) -> dict[str, Any]:
        words = min(self.words, 12)
        stride = self.stride and min(self.stride, words * self.stride // self.words + 1)
        return {"words": words, "stride": stride}

    def passage_words(self) -> float:
        return self.words


def write(
    writer: "DatasetWriter",
    files: dict[str, Path],
    passages: str = "first",
    words: int = 400,
    stride: int | None = None,
) -> None:
    """A split has the queries that its judgements name; a judged document's passages are all judged like it."""
    for place, line in counted(lines(files[DOCUMENTS]), "documents"):
        fields = line.split("\t", 3)
        if len(fields) != 4:
            raise UserError(f"{place}: {len(fields)} fields, expected id, url, title, body separated by tabs")
        id, _, title, body = fields
        if passages == "first":
            cut = [(id, " ".join(body.split(maxsplit=words)[:words]))]
        else:
            cut = ((f"{id}#{part}", text) for part, text in enumerate(windows(body, words, stride or words)))
        writer.document(place, id, title, cut)
    writer.end_of_corpus(str(files[DOCUMENTS]))
    for split, (queries, judgements) in SPLITS.items():
        write_split(writer, split, by_id(pairs(lines(files[queries]))), trec_judgements(lines(files[judgements])))


def windows(body: str, words: int, stride: int) -> Iterator[str]:
    """So many words, every `stride`, until one reaches the last word; a body without words is one window."""
    all_words = body.split()
    for start in range(0, max(len(all_words), 1), stride):
        yield " ".join(all_words[start : start + words])
        if start + words >= len(all_words):
            break


def rehearse(folder: Path, drawn: Words, /, **_) -> None:
    """Tiny files in the format of the real ones."""
    texts = {f"D{row * 7}": drawn.passage(tiny_marco.BODY_WORDS) if row else "" for row in range(PASSAGES)}
    odd = dict(zip(texts, ODD, strict=False))
    rows = [(id, f"https://example.org/{id}", odd.get(id, drawn.title()), text) for id, text in texts.items()]
    write_text(folder / DOCUMENTS, tiny_marco.tab_lines(rows))
    for split, of in tiny_marco.splits(drawn, texts).items():
        queries, judgements = SPLITS[split]
        write_text(folder / queries, tiny_marco.tab_lines(of.queries))
        write_text(folder / judgements, tiny_marco.lines(map(" ".join, of.judgements("0"))))
