"""Splits as TREC's collections have them: a file of queries, and one of judgements that says which of them count."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dewpoint.errors import UserError

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter


def pairs(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """(place, id, text) of lines with an id, a tab, and a text, in which tabs are text."""
    for place, line in rows:
        id, tab, text = line.partition("\t")
        if not tab:
            raise UserError(f"{place}: expected an id and a text with a tab between")
        yield place, id, text


def by_id(queries: Iterable[tuple[str, str, str]]) -> dict[str, tuple[str, str]]:
    """(place, text) of queries that come as (place, id, text)."""
    known: dict[str, tuple[str, str]] = {}
    for place, id, text in queries:
        if id in known:
            raise UserError(f"{place}: query id '{id}' was used before")
        known[id] = place, text
    return known


def write_split(
    writer: "DatasetWriter",
    split: str,
    queries: dict[str, tuple[str, str]],
    judgements: Iterable[tuple[str, str, str, float]],
) -> None:
    """The queries that judgements (place, query, passage, grade) name, in their order; others are left out."""
    written = set()
    for place, query, passage, grade in judgements:
        if query not in written:
            if query not in queries:
                raise UserError(f"{place}: judgement names unknown query '{query}'")
            written.add(query)
            writer.query(queries[query][0], split, query, queries[query][1])
        writer.judgement(place, split, query, passage, grade)
