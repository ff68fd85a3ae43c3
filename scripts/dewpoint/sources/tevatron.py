"""`tevatron`: Tevatron's JSON lines, of its first version, with whole passages, and of its second, with their ids."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny
from dewpoint.data.reading import counted, json_lines, objects, text, text_files, texts
from dewpoint.errors import UserError
from dewpoint.study.bases import Source
from dewpoint.study.types import Name

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

LIST = "negatives"


class Tevatron(Source):
    """Tevatron's JSON lines, each file plain, .gz or .zst; their negatives are the list `negatives`."""

    cites: ClassVar[tuple[str, ...]] = ("gao2022tevatron",)

    source: Literal["tevatron"]
    corpus: list[str] = Field(min_length=1, description="paths or patterns: docid, title, text")
    queries: dict[Name, str] = Field(
        min_length=1,
        description="a file for each split: query_id, query, positive_passages, …",
    )

    @property
    def judged(self) -> list[str]:
        return list(self.queries)

    @property
    def answered(self) -> list[str]:
        return self.judged

    @property
    def lists(self) -> dict[str, list[str]]:
        return {LIST: self.judged}

    def files(self) -> list[str]:
        return list(map(str, text_files([*self.corpus, *self.queries.values()])))

    def moved(self, place) -> dict[str, Any]:
        queries = {split: place(file) for split, file in self.queries.items()}
        return {"corpus": list(dict.fromkeys(map(place, self.corpus))), "queries": queries}


def write(writer: "DatasetWriter", corpus: list[str], queries) -> None:
    """Passages, then each split's queries; of the passages that come with a query, the ids alone are read."""
    for place, row in counted(_rows(corpus), "passages"):
        writer.passage(place, text(row, "docid", place), text(row, "text", place), text(row, "title", place, ""))
    writer.end_of_corpus(", ".join(corpus))
    for split, file in vars(queries).items():
        for place, row in counted(_rows([file]), f"{split} queries"):
            id = text(row, "query_id", place)
            words = text(row, "query_text" if "query_text" in row else "query", place)
            writer.query(place, split, id, words, tuple(texts(row, "answers", place)))
            for passage in _passages(row, "positive", place):
                writer.judgement(place, split, id, passage)
            writer.listed(place, LIST, split, id, _passages(row, "negative", place))
        if split not in writer.queries:
            raise UserError(f"{file}: no query in it")


def _rows(patterns: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in text_files(patterns, (".jsonl", ".json")):
        yield from json_lines(path)


def _passages(row: dict[str, Any], kind: str, place: str) -> list[str]:
    """The ids of a query's positive or negative passages; test queries may come without."""
    if f"{kind}_document_ids" in row:
        return texts(row, f"{kind}_document_ids", place)
    return [text(passage, "docid", place) for passage in objects(row, f"{kind}_passages", place)]


def rehearse(folder: Path, words: tiny.Words, corpus: list[str], queries) -> None:
    """Tiny files of the first version, under the names of the real ones."""
    passages = [
        {"docid": str(row), "title": title, "text": content} for row, (title, content) in enumerate(words.corpus())
    ]
    del passages[0]["title"]
    for number, file in enumerate(corpus):
        tiny.write_text(folder / Path(file).name, tiny.json_text(passages[number :: len(corpus)]))
    content = defaultdict(list)  # splits may share a file
    for split, file in vars(queries).items():
        for row in range(tiny.TRAIN if split == "train" else tiny.DEV):
            question, answer, (positive, *negatives) = words.asked([passage["text"] for passage in passages])
            query = {"query_id": f"{split}-{row}", "query": question, "answers": [answer][row % 4 :]}
            lists = {"positive_passages": [positive], "negative_passages": negatives if row % 5 else []}
            lists = {key: [passages[row] for row in rows] for key, rows in lists.items()}
            content[Path(file).name].append(query | lists)
    for name, rows in content.items():
        tiny.write_text(folder / name, tiny.json_text(rows))
