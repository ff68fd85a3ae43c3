"""`table`: one's own files, with a map from our column names to theirs."""

from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dewpoint.data import tiny
from dewpoint.data.estimates import about
from dewpoint.data.reading import grade, records, text, texts
from dewpoint.errors import UserError
from dewpoint.study.bases import Source
from dewpoint.study.kind import Strict
from dewpoint.study.types import Grade, Name

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter


GRADES = ("grade", "score", "label", "rel", "relevance", "relevant", "rating", "judgement", "judgment", "gain")


class PassageFile(Strict):
    """Passages, one a row."""

    file: str = Field(description="path of a .csv, .tsv, .jsonl or .parquet")
    columns: dict[Literal["id", "text", "title", "document"], str] = Field({}, description="our name: the file's name")


class QueryFile(Strict):
    """Queries of a split, one a row."""

    file: str = Field(description="path of a .csv, .tsv, .jsonl or .parquet")
    columns: dict[Literal["id", "text", "answers"], str] = Field({}, description="our name: the file's name")


class JudgementFile(Strict):
    """Judgements of a split, one a row."""

    file: str = Field(description="path of a .csv, .tsv, .jsonl or .parquet")
    columns: dict[Literal["query", "passage", "grade"], str] = Field({}, description="our name: the file's name")
    relevant: Grade = Field(1, description="grade from which a passage counts as relevant; nDCG's gains are the grades")


class Tables(Source):
    """One's own files: .csv, .tsv, .jsonl (each plain, .gz or .zst) or .parquet."""

    source: Literal["table"]
    corpus: PassageFile = Field(description="the file with the passages")
    queries: dict[Name, QueryFile] = Field(min_length=1, description="a file for each split")
    judgements: dict[Name, JudgementFile] = Field(min_length=1, description="a file for each split")

    @property
    def judged(self) -> list[str]:
        return [split for split in self.queries if split in self.judgements]

    @property
    def answered(self) -> list[str]:
        return list(self.queries)

    def files(self) -> list[str]:
        return [self.corpus.file, *(one.file for one in (*self.queries.values(), *self.judgements.values()))]

    def roughly(self) -> dict[str, Any]:
        queries = {split: about(one.file)[0] for split, one in self.queries.items()}
        return {"passages": about(self.corpus.file)[0], "queries": queries}

    def passage_words(self) -> float:
        return about(self.corpus.file)[1]

    def moved(self, place) -> dict[str, Any]:
        def at(file: Strict) -> Strict:
            return file.model_copy(update={"file": place(file.file)})

        splits = {part: getattr(self, part) for part in ("queries", "judgements")}
        moved = {part: {split: at(file) for split, file in of.items()} for part, of in splits.items()}
        return {"corpus": at(self.corpus)} | moved


def write(writer: "DatasetWriter", corpus, queries, judgements) -> None:
    """Passages, then each split's queries, then its judgements."""
    for place, row in _rows(corpus):
        name = vars(corpus.columns)
        writer.passage(
            place,
            text(row, name.get("id", "id"), place),
            text(row, name.get("text", "text"), place),
            text(row, name.get("title", "title"), place, ""),
            text(row, name.get("document", "document"), place, ""),
        )
    writer.end_of_corpus(corpus.file)
    for split, file in vars(queries).items():
        name = vars(file.columns)
        for place, row in _rows(file):
            column = name.get("answers", "answers")
            if not isinstance(answers := row.get(column), list):
                answers = [] if answers in (None, "") else [answers]
            writer.query(
                place,
                split,
                text(row, name.get("id", "id"), place),
                text(row, name.get("text", "text"), place),
                tuple(texts({column: answers}, column, place)),
            )
        if split not in writer.queries:
            raise UserError(f"{file.file}: no query in it")
    for split, file in vars(judgements).items():
        if split not in vars(queries):
            raise UserError(f"{file.file}: judgements of split '{split}', which has no queries")
        writer.relevant[split] = file.relevant
        name = vars(file.columns)
        judged = False
        for place, row in _rows(file):
            judged = True
            if "grade" not in name and "grade" not in row:
                _refuse_other_grades(row, place)
            writer.judgement(
                place,
                split,
                text(row, name.get("query", "query"), place),
                text(row, name.get("passage", "passage"), place),
                grade(row.get(name.get("grade", "grade"), 1), place),
            )
        if not judged:
            raise UserError(f"{file.file}: no judgement in it")


def _refuse_other_grades(row: dict[str, Any], place: str) -> None:
    """Without grades all that is listed is relevant, which is not meant where they are called otherwise."""
    for column in row:
        if get_close_matches(column.lower(), GRADES, 1, 0.8):
            raise UserError(f"{place}: '{column}' looks like a grade; say so by columns: {{grade: {column}}}")


def _rows(file) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a file; a column that the study names must be in one of its rows at least."""
    unseen = set(vars(file.columns).values())
    row = None
    for place, row in records(Path(file.file)):
        unseen -= row.keys()
        yield place, row
    if row is not None and unseen:
        raise UserError(f"{file.file}: no row has a column '{min(unseen)}'; there is {', '.join(map(str, row))}")


def rehearse(folder: Path, words: tiny.Words, corpus, queries, judgements) -> None:
    """Tiny files of the real ones' names, formats and columns; files that splits share hold the rows of all of them."""
    content, passages = defaultdict(list), words.corpus()

    def add(file, **row) -> None:
        content[Path(file.file).name].append({vars(file.columns).get(name, name): value for name, value in row.items()})

    for row, (title, passage) in enumerate(passages):
        add(corpus, id=f"p{row}", text=passage, title=title, document=f"d{row // tiny.ARTICLE}")
    for split, file in vars(queries).items():
        for row in range(tiny.TRAIN if split == "train" else tiny.DEV):
            question, answer, (positive, other, *_) = words.asked([passage for _, passage in passages])
            add(file, id=f"{split}{row}", text=question, answers=[answer])
            if judged := vars(judgements).get(split):
                add(judged, query=f"{split}{row}", passage=f"p{positive}", grade=judged.relevant)
                add(judged, query=f"{split}{row}", passage=f"p{other}", grade=0)
    for name, rows in content.items():
        tiny.write_rows(folder / name, rows)
