"""`beir`: a folder with corpus.jsonl, queries.jsonl and qrels/<split>.tsv, each plain, .gz or .zst."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data import tiny
from dewpoint.data.estimates import about
from dewpoint.data.reading import find, grade, json_lines, lines, qrels, text
from dewpoint.data.splits import by_id, write_split
from dewpoint.errors import UserError
from dewpoint.study.bases import Source

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter


class Beir(Source):
    """A folder with corpus.jsonl, queries.jsonl and qrels/<split>.tsv, each plain, .gz or .zst."""

    cites: ClassVar[tuple[str, ...]] = ("thakur2021beir",)

    source: Literal["beir"]
    path: str = Field(description="the folder")

    @property
    def judged(self) -> list[str] | None:
        return sorted(qrels(Path(self.path))) or None

    def files(self) -> list[str]:
        folder, judgements = Path(self.path), qrels(Path(self.path))
        if not judgements:
            raise UserError(f"{folder}: no qrels/<split>.tsv in it, plain or compressed")
        return list(map(str, (find(folder / "corpus.jsonl"), find(folder / "queries.jsonl"), *judgements.values())))

    def roughly(self) -> dict[str, Any]:
        if not (judgements := qrels(Path(self.path))):
            return super().roughly()
        queries = {split: _queries(file) for split, file in judgements.items()}
        return {"passages": about(self.files()[0])[0], "queries": queries}

    def passage_words(self) -> float:
        return about(self.files()[0])[1] if qrels(Path(self.path)) else super().passage_words()

    def moved(self, place) -> dict[str, Any]:
        return {"path": place("")}

    def tiny(self, splits: list[str]) -> dict[str, Any]:
        return super().tiny(splits) | {"splits": splits}


@cache
def _queries(path: Path) -> int:
    """How many a qrels file names; its first line names columns."""
    return max(0, len({line.partition("\t")[0] for _, line in lines(path) if line}) - 1)


def write(writer: "DatasetWriter", path: str) -> None:
    """A split holds the queries that its qrels name, in their order; queries that none names are left out."""
    folder = Path(path)
    for place, row in json_lines(find(folder / "corpus.jsonl")):
        writer.passage(place, text(row, "_id", place), text(row, "text", place), text(row, "title", place, ""))
    writer.end_of_corpus(str(folder / "corpus.jsonl"))
    rows = json_lines(find(folder / "queries.jsonl"))
    queries = by_id((place, text(row, "_id", place), text(row, "text", place)) for place, row in rows)
    for split, file in qrels(folder).items():
        write_split(writer, split, queries, _judgements(file))


def _judgements(path: Path):
    """(place, query id, passage id, grade) of a qrels file; its first line names the columns."""
    judged = False
    for number, (place, line) in enumerate(lines(path)):
        if number == 0 and line.split("\t")[0] in ("query-id", "query_id", "qid"):
            continue
        if line:
            fields = line.split("\t")
            if len(fields) != 3:
                raise UserError(f"{place}: {len(fields)} fields, expected query-id, corpus-id, score separated by tabs")
            judged = True
            yield place, fields[0], fields[1], grade(fields[2], place)
    if not judged:
        raise UserError(f"{path}: no judgement in it")


def rehearse(folder: Path, words: tiny.Words, path: str, splits: list[str]) -> None:
    """A tiny folder of the kind, with the splits that the study asks for."""
    corpus = words.corpus()
    rows = [{"_id": f"p{row}", "title": title, "text": content} for row, (title, content) in enumerate(corpus)]
    del rows[0]["title"]
    tiny.write_text(folder / "corpus.jsonl", tiny.json_text(rows))
    queries = []
    for split in splits:
        lines = ["query-id\tcorpus-id\tscore\n"]
        for row in range(tiny.TRAIN if split == "train" else tiny.DEV):
            question, _, (positive, other, *_) = words.asked([content for _, content in corpus])
            queries.append({"_id": f"{split}{row}", "text": question, "metadata": {}})
            lines += [f"{split}{row}\tp{positive}\t1\n", f"{split}{row}\tp{other}\t0\n"]
        tiny.write_text(folder / "qrels" / f"{split}.tsv", "".join(lines))
    tiny.write_text(folder / "queries.jsonl", tiny.json_text(queries))
