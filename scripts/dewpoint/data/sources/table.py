"""`table`: one's own files, with a map from our column names to theirs."""

from pathlib import Path

from dewpoint.data.dataset import DatasetWriter
from dewpoint.data.sources.reading import grade, records, text
from dewpoint.errors import UserError


def write(writer: DatasetWriter, corpus, queries, judgements) -> None:
    """Passages, then each split's queries, then its judgements."""
    for place, row in records(Path(corpus.file)):
        name = vars(corpus.columns)
        writer.passage(
            place,
            text(row, name.get("id", "id"), place),
            text(row, name.get("text", "text"), place),
            text(row, name.get("title", "title"), place, ""),
            text(row, name.get("document", "document"), place, ""),
        )
    for split, file in vars(queries).items():
        name = vars(file.columns)
        for place, row in records(Path(file.file)):
            answers = row.get(name.get("answers", "answers"))
            if isinstance(answers, str):
                answers = [answers] if answers else []
            writer.query(
                place,
                split,
                text(row, name.get("id", "id"), place),
                text(row, name.get("text", "text"), place),
                tuple(map(str, answers or ())),
            )
    for split, file in vars(judgements).items():
        if split not in vars(queries):
            raise UserError(f"{file.file}: judgements of split '{split}', which has no queries")
        name = vars(file.columns)
        for place, row in records(Path(file.file)):
            writer.judgement(
                place,
                split,
                text(row, name.get("query", "query"), place),
                text(row, name.get("passage", "passage"), place),
                grade(row.get(name.get("grade", "grade"), 1), place),
            )
