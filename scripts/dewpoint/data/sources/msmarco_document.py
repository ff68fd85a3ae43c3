"""`msmarco-document`: MS MARCO's 3.2 million documents, cut to passages, with TREC's queries of 2019 and 2020."""

from collections.abc import Iterator
from pathlib import Path

from dewpoint.data.dataset import DatasetWriter
from dewpoint.data.sources import tiny_marco
from dewpoint.data.sources.reading import counted, lines, trec_judgements
from dewpoint.data.sources.splits import by_id, pairs, write_split
from dewpoint.data.sources.tiny import ODD, PASSAGES, Words, write_text
from dewpoint.errors import UserError

DOCUMENTS = "msmarco-docs.tsv.gz"
SPLITS = {  # queries and judgements
    "train": ("msmarco-doctrain-queries.tsv.gz", "msmarco-doctrain-qrels.tsv.gz"),
    "dev": ("msmarco-docdev-queries.tsv.gz", "msmarco-docdev-qrels.tsv.gz"),
    "dl2019": ("msmarco-test2019-queries.tsv.gz", "2019qrels-docs.txt"),
    "dl2020": ("msmarco-test2020-queries.tsv.gz", "2020qrels-docs.txt"),
}


def write(
    writer: DatasetWriter, files: dict[str, Path], passages: str = "first", words: int = 400, stride: int | None = None
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
